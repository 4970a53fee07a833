//! Shared access signatures for one blob. The text that is signed is the simulator's own; that it covers every
//! parameter and the path, and that `sig` must come back as it was given, is Storage's behaviour.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use super::clock;
use super::storage_error::StorageError;

pub(super) struct Sas {
    key: hmac::Key,
}

const VERSION: &str = "2023-01-03";
const LIFETIME: time::Duration = time::Duration::minutes(60);

impl Sas {
    pub(super) fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The query of a link to `path` with the permissions `sp`. The signature always holds `/`, `+` and `=`,
    /// so that whoever re-encodes or decodes it breaks it.
    pub(super) fn query(&self, path: &str, sp: &str, now: OffsetDateTime) -> String {
        let mut expiry = now + LIFETIME;
        loop {
            let se = clock::zulu(expiry);
            let sig = STANDARD.encode(hmac::sign(&self.key, signed_text(path, VERSION, &se, "b", sp).as_bytes()));
            if sig.contains('/') && sig.contains('+') {
                return format!("sv={VERSION}&se={}&sr=b&sp={sp}&sig={}", encoded(&se), encoded(&sig));
            }
            expiry += time::Duration::SECOND;
        }
    }

    /// Whether `query` opens `path` for `wanted` (one letter of `sp`) at this time.
    pub(super) fn admits(
        &self,
        path: &str,
        query: &str,
        wanted: &[char],
        now: OffsetDateTime,
    ) -> Result<(), StorageError> {
        let value = |name: &str| {
            url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let (Some(sv), Some(se), Some(sr), Some(sp), Some(sig)) =
            (value("sv"), value("se"), value("sr"), value("sp"), value("sig"))
        else {
            return Err(StorageError::NO_ACCESS);
        };
        let tag =
            STANDARD.decode(sig.as_bytes()).map_err(|_| StorageError::authentication("sig is not well formed"))?;
        hmac::verify(&self.key, signed_text(path, &sv, &se, &sr, &sp).as_bytes(), &tag)
            .map_err(|_| StorageError::authentication("Signature did not match."))?;
        if *se <= *clock::zulu(now) {
            return Err(StorageError::authentication(&format!(
                "Signed expiry time [{se}] must be after signed start time and the present [{}]",
                clock::zulu(now)
            )));
        }
        if sp.contains(wanted) { Ok(()) } else { Err(StorageError::PERMISSION) }
    }
}

fn signed_text(path: &str, sv: &str, se: &str, sr: &str, sp: &str) -> String {
    [path, sv, se, sr, sp].join("\n")
}

fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 03:00 UTC);

    fn signer() -> Sas {
        Sas::new(b"secret")
    }

    #[test]
    fn a_link_opens_its_own_blob_for_its_own_permission_until_it_expires() {
        let query = signer().query("/a/b", "cw", NOW);
        assert_eq!(signer().admits("/a/b", &query, &['w'], NOW), Ok(()));
        assert_eq!(signer().admits("/a/b", &query, &['r'], NOW), Err(StorageError::PERMISSION));
        for (path, later) in [("/a/c", 0), ("/a/b", 120)] {
            let refused = signer().admits(path, &query, &['w'], NOW + time::Duration::minutes(later));
            assert_eq!(refused.map_err(|e| e.code), Err("AuthenticationFailed"));
        }
    }

    #[test]
    fn a_signature_that_was_decoded_or_encoded_again_does_not_open_anything() {
        let query = signer().query("/a/b", "r", NOW);
        for broken in [query.replace("%2B", "+"), query.replace('%', "%25"), query.replace("sp=r", "sp=rw")] {
            assert!(signer().admits("/a/b", &broken, &['r'], NOW).is_err(), "{broken}");
        }
    }
}
