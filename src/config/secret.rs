//! A text that must not be shown.

use std::fmt;

use serde::{Serialize, Serializer};

const MASK: &str = "***";

/// Shows as `***` wherever it is printed or serialised; only [`Secret::expose`] gives the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_mask_in_every_way_it_can_be_printed() {
        let secret = Secret::new("pl4nted");
        let shown = format!("{secret} {secret:?} {:?} {}", Some(&secret), serde_json::json!({"token": secret}));
        assert!(!shown.contains("pl4nted"), "{shown}");
        assert_eq!(shown.matches(MASK).count(), 4);
        assert_eq!(secret.expose(), "pl4nted");
    }
}
