//! The name of one request, in its answer and in the log.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::error::ApiError;

/// The header in which callers are told the id.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header in which the Functions host names the invocation.
const INVOCATION_ID: &str = "x-azure-functions-invocationid";

const LIMIT: usize = 64;

/// The host's invocation id, so that its logs and ours can be joined; a random UUID where there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestId(String);

impl RequestId {
    /// An id of another form than letters, digits and dashes is not taken over: it would end up in logs and headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(INVOCATION_ID).and_then(|value| value.to_str().ok());
        let fits =
            |id: &&str| (1..=LIMIT).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        Self(given.filter(fits).map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For handlers behind the boundary.
impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| ApiError::internal("a route stands outside the boundary"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(INVOCATION_ID, id.parse().unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn the_hosts_invocation_id_is_the_requests_id() {
        assert_eq!(told("10fde54a-0c3e-4a7e-9d4b-1f2a3b4c5d6e").as_str(), "10fde54a-0c3e-4a7e-9d4b-1f2a3b4c5d6e");
    }

    #[test]
    fn an_id_that_could_break_a_log_line_is_replaced() {
        for odd in ["", "a b", "x=y", &"a".repeat(65)] {
            assert_eq!(told(odd).as_str().len(), 36, "{odd}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
