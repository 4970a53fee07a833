//! An address that carries its own permission (a shared access signature): as secret as a password.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use super::cloud::is_confidential;
use super::error::{AzureError, ErrorKind};

/// Shows itself without its query. Serializes whole, because a run must remember it: keep it out of answers.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SasUrl(String);

impl SasUrl {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The address to send to; what Azure has percent-encoded in it stays as it is.
    pub(super) fn reveal(&self, operation: &'static str) -> Result<Url, AzureError> {
        Url::parse(&self.0)
            .ok()
            .filter(is_confidential)
            .ok_or_else(|| AzureError::new(ErrorKind::Invalid, operation, "Azure gave an address that is no https URL"))
    }
}

impl Serialize for SasUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for SasUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('?') {
            Some((address, _)) => write!(f, "{}?…", crate::model::redact(address)),
            None => f.write_str(&crate::model::redact(&self.0)),
        }
    }
}

impl fmt::Debug for SasUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "https://a.blob.core.windows.net/c/source/x.tar.gz?sv=2015-04-05&st=2015-04-29T22%3A18%3A26Z&sip=168.1.5.60-168.1.5.70&sig=Z%2FRHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXDtkk%3D";

    #[test]
    fn a_signed_address_is_used_byte_for_byte_and_shown_without_its_signature() {
        let url = SasUrl::new(SIGNED);
        assert_eq!(url.reveal("testing").unwrap().as_str(), SIGNED);
        let shown = format!("{url} {url:?}");
        assert!(shown.contains("x.tar.gz") && !shown.contains("sig=") && !shown.contains("Z%2F"), "{shown}");
    }

    #[test]
    fn an_address_that_would_be_read_on_the_way_is_refused() {
        for text in ["http://a.blob.core.windows.net/c?sig=1", "ftp://a/b", "nonsense", ""] {
            assert!(SasUrl::new(text).reveal("testing").is_err(), "{text}");
        }
        assert!(SasUrl::new("http://127.0.0.1:4000/c?sig=1").reveal("testing").is_ok());
    }
}
