//! What a registry's token says of itself. It is ours to use, not to trust: the signature is the registry's business.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::right::Right;
use crate::azure::lenient;

/// A token is not used in its last moments: it must live until it has arrived.
const MARGIN: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
pub(super) struct Claims {
    /// Of a token of Entra's.
    #[serde(default, rename = "tid", deserialize_with = "lenient::text")]
    pub(super) tenant: Option<String>,
    #[serde(default)]
    exp: Option<u64>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    access: Vec<Access>,
}

#[derive(Deserialize)]
struct Access {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    actions: Vec<String>,
}

impl Claims {
    /// `None` if the token is not one that says anything.
    pub(super) fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?.trim_end_matches('=');
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// Until when the token is worth remembering.
    pub(super) fn good_until(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.exp?))?.checked_sub(MARGIN)
    }

    /// Tokens are given to everybody who asks, and may allow less than was asked for.
    pub(super) fn allow(&self, repository: &str, right: Right) -> bool {
        self.access.iter().any(|access| {
            let action = |action: &String| action == right.action() || action == "*";
            access.kind == "repository" && access.name == repository && access.actions.iter().any(action)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claims(payload: &Value) -> Option<Claims> {
        Claims::of(&format!("e30.{}.x", URL_SAFE_NO_PAD.encode(payload.to_string())))
    }

    #[test]
    fn a_token_tells_what_it_allows_and_until_when() {
        let access = json!([{"type": "repository", "name": "a/b", "actions": ["pull", "metadata_read"]}]);
        let told = claims(&json!({"exp": 1_000_000, "access": access})).unwrap();
        assert!(told.allow("a/b", Right::Pull) && told.allow("a/b", Right::ReadTags));
        assert!(!told.allow("a/b", Right::Delete) && !told.allow("a", Right::Pull));
        assert_eq!(told.good_until(), SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1_000_000 - 120)));
    }

    #[test]
    fn a_token_that_allows_nothing_or_says_nothing_is_told_apart() {
        for access in [json!(null), json!([]), json!([{"type": "repository", "name": "a", "actions": null}])] {
            assert!(!claims(&json!({"exp": 1, "access": access})).unwrap().allow("a", Right::Pull));
        }
        assert_eq!(claims(&json!({})).unwrap().good_until(), None);
        for token in ["", "opaque", "a.b.c", "a.!.c", "a.bnVsbA.c"] {
            assert!(Claims::of(token).is_none(), "{token}");
        }
    }
}
