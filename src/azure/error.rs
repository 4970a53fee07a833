//! What Azure refused, or did not answer.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;

use super::envelope;
use super::retry_after::retry_after;
use crate::model::redact;

/// A failed call. Its texts are redacted when it is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AzureError {
    pub kind: ErrorKind,
    /// What was being done, for example `scheduling the build`.
    pub operation: &'static str,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Azure's own name of the cause; empty if it gave none.
    pub code: String,
    pub message: String,
    /// Names of the causes behind the cause.
    pub inner_codes: Vec<String>,
    /// How long to wait before another try, if Azure said so.
    pub retry_after: Option<Duration>,
    pub ids: Box<RequestIds>,
}

/// What Azure's support asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RequestIds {
    /// `x-ms-request-id`
    pub request: Option<String>,
    /// `x-ms-correlation-request-id`
    pub correlation: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// 429: asked too often.
    Throttled,
    /// 408 and 5xx: the service is in trouble. A write may have taken effect.
    Unavailable,
    /// No answer at all: connection, time, or a reply that broke off. A write may have taken effect.
    Unreachable,
    /// No token could be had; nothing was sent.
    Identity,
    /// On a developer's machine nobody is signed in to Azure; nothing was sent.
    NotSignedIn,
    /// 401: the token is not accepted.
    Unauthorized,
    /// 403: the permission is missing.
    Forbidden,
    /// 403 on an address that carries its own permission: ask for a new one.
    LinkExpired,
    /// 404
    NotFound,
    /// 409
    Conflict,
    /// 412: the resource is not as the caller believed.
    PreconditionFailed,
    /// Any other 4xx, a redirect, or a request that must not be sent.
    Invalid,
    /// A success whose body makes no sense. A write has taken effect.
    Unreadable,
}

/// Conflicts that end by themselves.
const PASSING_CONFLICTS: [&str; 4] = [
    "AnotherOperationInProgress",
    "RetryableErrorDueToAnotherOperation",
    "ConcurrentWriteInProgress",
    "ContainerAppOperationInProgress",
];
/// How Container Apps tells the last one; the text is better known than the code.
const PASSING_CONFLICT: &str = "active provisioning operation in progress";

impl AzureError {
    pub(super) fn new(kind: ErrorKind, operation: &'static str, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            operation,
            status: None,
            code: String::new(),
            message: redact(message.as_ref()),
            inner_codes: Vec::new(),
            retry_after: None,
            ids: Box::default(),
        }
    }

    /// From an answer that is no success.
    pub(super) fn answered(operation: &'static str, status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(redact);
        let envelope = envelope::parse(body);
        let code = match envelope.code.is_empty() {
            // Storage answers a HEAD without a body.
            true => text("x-ms-error-code").unwrap_or_default(),
            false => envelope.code,
        };
        Self {
            status: Some(status),
            code,
            message: envelope.message,
            inner_codes: envelope.inner_codes,
            retry_after: retry_after(headers, SystemTime::now()),
            ids: Box::new(RequestIds {
                request: text("x-ms-request-id"),
                correlation: text("x-ms-correlation-request-id"),
            }),
            ..Self::new(kind_of(status), operation, "")
        }
    }

    pub(super) fn unreachable(operation: &'static str, error: reqwest::Error) -> Self {
        // The address may carry a signature.
        Self::new(ErrorKind::Unreachable, operation, chain(&error.without_url()))
    }

    pub(super) fn timed_out(operation: &'static str, after: Duration) -> Self {
        let message = format!("there was no answer within {} seconds", after.as_secs_f32());
        Self::new(ErrorKind::Unreachable, operation, message)
    }

    pub(super) fn identity(status: Option<u16>, message: String) -> Self {
        let short = message.chars().take(1000).collect::<String>();
        Self { status, ..Self::new(ErrorKind::Identity, "getting a token", short) }
    }

    pub(super) fn not_signed_in(message: &str) -> Self {
        let short = message.chars().take(1000).collect::<String>();
        Self::new(ErrorKind::NotSignedIn, "getting a token", short)
    }

    /// For an address that carries its own permission, a 403 says that the permission has ended.
    pub(super) fn with_expired_link(self) -> Self {
        match self.kind {
            ErrorKind::Forbidden => Self { kind: ErrorKind::LinkExpired, ..self },
            _ => self,
        }
    }

    /// Whether the cause, or a cause behind it, has this name.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code) || self.inner_codes.iter().any(|inner| inner.eq_ignore_ascii_case(code))
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self.kind {
            ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Unreachable => true,
            // 404 and 410: the identity service is being updated.
            ErrorKind::Identity => self.status.is_none_or(|status| matches!(status, 404 | 408 | 410 | 429 | 500..)),
            ErrorKind::Unauthorized => self.has_code("ExpiredAuthenticationToken"),
            ErrorKind::Conflict => {
                PASSING_CONFLICTS.iter().any(|code| self.has_code(code)) || self.message.contains(PASSING_CONFLICT)
            }
            ErrorKind::NotSignedIn
            | ErrorKind::Forbidden
            | ErrorKind::LinkExpired
            | ErrorKind::NotFound
            | ErrorKind::PreconditionFailed
            | ErrorKind::Invalid
            | ErrorKind::Unreadable => false,
        }
    }

    /// Whether a write that ended so may have been carried out all the same: look before doing it again.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Unreachable | ErrorKind::Unreadable)
    }
}

fn kind_of(status: u16) -> ErrorKind {
    match status {
        200..=299 => ErrorKind::Unreadable,
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 | 500.. => ErrorKind::Unavailable,
        409 => ErrorKind::Conflict,
        412 => ErrorKind::PreconditionFailed,
        429 => ErrorKind::Throttled,
        _ => ErrorKind::Invalid,
    }
}

impl fmt::Display for AzureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.operation)?;
        if let Some(status) = self.status {
            write!(f, " with HTTP status {status}")?;
        }
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        match (&self.ids.request, &self.ids.correlation) {
            (Some(request), Some(correlation)) => write!(f, " [request {request}, correlation {correlation}]"),
            (Some(request), None) => write!(f, " [request {request}]"),
            (None, Some(correlation)) => write!(f, " [correlation {correlation}]"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for AzureError {}

/// An error with all its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, body: &str) -> AzureError {
        AzureError::answered("testing", status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn the_status_decides_the_kind_whatever_the_body_is() {
        for (status, kind, retryable) in [
            (429, ErrorKind::Throttled, true),
            (503, ErrorKind::Unavailable, true),
            (500, ErrorKind::Unavailable, true),
            (408, ErrorKind::Unavailable, true),
            (401, ErrorKind::Unauthorized, false),
            (403, ErrorKind::Forbidden, false),
            (404, ErrorKind::NotFound, false),
            (409, ErrorKind::Conflict, false),
            (412, ErrorKind::PreconditionFailed, false),
            (400, ErrorKind::Invalid, false),
            (422, ErrorKind::Invalid, false),
            (302, ErrorKind::Invalid, false),
        ] {
            for body in ["", "<html>", "{\"error\":{\"code\":\"X\"}}"] {
                let error = error(status, body);
                assert_eq!((error.kind, error.is_retryable(), error.status), (kind, retryable, Some(status)), "{body}");
            }
        }
    }

    #[test]
    fn a_conflict_that_ends_by_itself_is_worth_waiting_for() {
        assert!(error(409, r#"{"error":{"code":"AnotherOperationInProgress","message":""}}"#).is_retryable());
        let busy = "Cannot modify a container app 'a' because there is an active provisioning operation in progress.";
        assert!(error(409, &format!(r#"{{"error":{{"code":"X","message":"{busy}"}}}}"#)).is_retryable());
        assert!(!error(409, r#"{"error":{"code":"ScopeLocked","message":""}}"#).is_retryable());
        assert!(
            error(409, r#"{"error":{"code":"A","details":[{"code":"RoleAssignmentExists"}]}}"#)
                .has_code("roleassignmentexists")
        );
    }

    #[test]
    fn the_ids_that_support_asks_for_are_shown() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-request-id", "req-1".parse().unwrap());
        headers.insert("x-ms-correlation-request-id", "cor-2".parse().unwrap());
        headers.insert("retry-after", "17".parse().unwrap());
        let error = AzureError::answered("testing", 429, &headers, b"");
        let shown = error.to_string();
        assert!(shown.contains("req-1") && shown.contains("cor-2") && shown.contains("429"), "{shown}");
        assert_eq!(error.retry_after, Some(Duration::from_secs(17)));
    }

    #[test]
    fn a_head_answer_has_its_code_in_a_header() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-error-code", "BlobNotFound".parse().unwrap());
        assert_eq!(AzureError::answered("testing", 404, &headers, b"").code, "BlobNotFound");
    }
}
