//! `WWW-Authenticate: Bearer …`: where a registry's tokens come from, or why one was not enough.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Challenge(String);

/// The bearer challenge among all that were sent.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| {
        let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| Challenge(rest.to_owned()))
    })
}

impl Challenge {
    pub(super) fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }

    pub(super) fn service(&self) -> Option<&str> {
        self.parameter("service")
    }

    /// Whether the token is good, and its rights are not enough.
    pub(super) fn is_insufficient(&self) -> bool {
        self.parameter("error") == Some("insufficient_scope")
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let mut rest = self.0.as_str();
        while let Some((key, after)) = rest.split_once('=') {
            let quoted = after.trim_start().strip_prefix('"').and_then(|inside| inside.split_once('"'));
            let (value, next) = quoted.unwrap_or_else(|| after.split_once(',').unwrap_or((after, "")));
            if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
                return Some(value.trim());
            }
            rest = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        bearer(&headers)
    }

    #[test]
    fn a_challenge_is_read_whatever_its_order_and_its_neighbours() {
        let basic = r#"Basic realm="r.azurecr.io""#;
        let found =
            challenge(&[basic, r#"bearer service="r.azurecr.io", realm="https://r.azurecr.io/oauth2/token?a=b""#]);
        let found = found.unwrap();
        assert_eq!(found.realm(), Some("https://r.azurecr.io/oauth2/token?a=b"));
        assert_eq!((found.service(), found.is_insufficient()), (Some("r.azurecr.io"), false));
        let scoped = r#"Bearer realm="x",scope="repository:a:pull,push",error="insufficient_scope""#;
        assert!(challenge(&[scoped]).unwrap().is_insufficient());
        assert_eq!(challenge(&["Bearer realm=x,service=y"]).unwrap().service(), Some("y"));
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        assert_eq!(challenge(&[r#"Basic realm="x""#, "Bearer"]), None);
        assert_eq!(challenge(&["Bearer realm="]).unwrap().realm(), Some(""));
        assert_eq!(challenge(&["Bearer nonsense"]).unwrap().realm(), None);
    }
}
