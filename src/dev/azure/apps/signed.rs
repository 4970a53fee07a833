//! The addresses that an operation is followed at: signed, several kilobytes long, and new with every answer. The
//! text that is signed is the simulator's own; that the signature covers the path and the whole query is not.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::OffsetDateTime;

use crate::dev::azure::arm_error::ArmError;
use axum::http::StatusCode;

pub(in crate::dev::azure) struct PollSigner {
    key: hmac::Key,
}

/// How long an address stays good. How long it really does is not known.
const LIFETIME: time::Duration = time::Duration::hours(1);
/// 100 ns since the year 1.
const TICKS_BEFORE_1970: i128 = 621_355_968_000_000_000;

impl PollSigner {
    pub(in crate::dev::azure) fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// `path` with the query that opens it; `start` is what the query begins with.
    pub(super) fn signed(&self, path: &str, start: &str, now: OffsetDateTime) -> String {
        let ticks = now.unix_timestamp_nanos() / 100 + TICKS_BEFORE_1970;
        let certificate = self.letters("certificate", 2600);
        let text = format!("{start}&t={ticks}&c={certificate}");
        let signature = self.letters(&format!("{path}?{text}"), 342);
        let text = format!("{text}&s={signature}");
        let seal = self.seal(path, &text);
        format!("{path}?{text}&h={seal}")
    }

    pub(super) fn admits(&self, path: &str, query: &str, now: OffsetDateTime) -> Result<(), ArmError> {
        let refused = |why: &str| {
            let message = format!("The signature of the operation's address was not accepted: {why}.");
            Err(ArmError::new(StatusCode::FORBIDDEN, "InvalidOperationSignature", message))
        };
        let Some((text, seal)) = query.split_once("&h=") else { return refused("it is missing") };
        if self.seal(path, text) != seal {
            return refused("it does not match the address");
        }
        let ticks = text.split('&').find_map(|pair| pair.strip_prefix("t=")?.parse::<i128>().ok()).unwrap_or_default();
        let age = (now.unix_timestamp_nanos() / 100 + TICKS_BEFORE_1970 - ticks) / 10_000_000;
        if age > i128::from(LIFETIME.whole_seconds()) { refused("it has expired") } else { Ok(()) }
    }

    /// 43 letters.
    fn seal(&self, path: &str, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, format!("{path}?{text}").as_bytes()))
    }

    fn letters(&self, of: &str, length: usize) -> String {
        let blocks = (0..length.div_ceil(43)).map(|n| self.seal(of, &n.to_string()));
        blocks.collect::<String>().chars().take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2023-10-30 10:27:29.8554492 UTC);

    #[test]
    fn an_address_is_as_long_as_recorded_ones_and_opens_itself_for_a_while() {
        let signer = PollSigner::new(b"secret");
        let address = signer.signed("/subscriptions/x/operation", "api-version=2024-03-01", NOW);
        assert!((3000..3500).contains(&address.len()), "{}", address.len());
        assert!(address.contains("&t=638342584498554492&"), "{address}");
        let (path, query) = address.split_once('?').unwrap();
        assert_eq!(signer.admits(path, query, NOW + time::Duration::minutes(59)), Ok(()));
        assert!(signer.admits(path, query, NOW + time::Duration::minutes(61)).is_err());
        for (path, query) in [
            ("/subscriptions/x/other", query.to_owned()),
            (path, format!("{query}&api-version=2025-07-01")),
            (path, query.replace("2024-03-01", "2025-07-01")),
            (path, query.split("&h=").next().unwrap().to_owned()),
        ] {
            assert!(signer.admits(path, &query, NOW).is_err(), "{query}");
        }
    }
}
