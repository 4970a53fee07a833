//! Refusals and failures as callers see them: a status and `{code, message, request_id}`.
//!
//! The only place that names status codes, but for `answer.rs`. A cause has one code, which is part of the interface; the message is for
//! people and says what to do.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::model::redact;

/// The body of every answer that is an error.
#[derive(Serialize)]
pub struct ErrorBody<'a> {
    pub code: &'a str,
    pub message: &'a str,
    /// Also in the header `x-request-id`, and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
}

/// An error answer. The boundary adds the request's id to it and logs its code and detail.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The value of Retry-After, in seconds.
    retry_after: Option<u32>,
    /// The value of WWW-Authenticate.
    challenge: Option<String>,
    /// For the log; callers never see it.
    detail: Option<String>,
}

impl ApiError {
    /// 400: the request makes no sense as it is.
    pub fn bad_request(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: nobody has said who calls, or not in a way that counts. `challenge` is the value of WWW-Authenticate.
    pub fn unauthorized(code: &'static str, message: impl AsRef<str>, challenge: &str) -> Self {
        let challenge = Some(challenge.to_owned());
        Self { challenge, ..Self::new(StatusCode::UNAUTHORIZED, code, message) }
    }

    /// 403: we know who calls, and that they may not.
    pub fn forbidden(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404
    pub fn not_found(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 405; the router adds Allow.
    pub fn method_not_allowed(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, code, message)
    }

    /// 409: it would do, but not in the present state.
    pub fn conflict(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 410: what was asked for is over.
    pub fn gone(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::GONE, code, message)
    }

    /// 413
    pub fn payload_too_large(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, message)
    }

    /// 415
    pub fn unsupported_media_type(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, message)
    }

    /// 416: the part that was asked for is not there.
    pub fn range_not_satisfiable(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, code, message)
    }

    /// 422: well formed, and yet not acceptable.
    pub fn unprocessable(code: &'static str, message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 429, to be tried again after a while.
    pub fn too_many(code: &'static str, message: impl AsRef<str>, retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, message).with_retry_after(retry_after)
    }

    /// 503: something that we depend on does not answer; to be tried again after a while.
    pub fn unavailable(code: &'static str, message: impl AsRef<str>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).with_retry_after(retry_after)
    }

    /// 500: our fault. `detail` goes to the log and to nobody else.
    pub fn internal(detail: impl AsRef<str>) -> Self {
        let message = "This is a fault of the service. Try again; if it stays, report it with the request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).with_detail(detail)
    }

    /// Adds a cause for the log to an error whose message does not tell it.
    pub fn with_detail(mut self, detail: impl AsRef<str>) -> Self {
        self.detail = Some(redact(detail.as_ref()));
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub(super) fn body<'a>(&'a self, request_id: Option<&'a str>) -> ErrorBody<'a> {
        ErrorBody { code: self.code, message: &self.message, request_id }
    }

    fn new(status: StatusCode, code: &'static str, message: impl AsRef<str>) -> Self {
        let message = redact(message.as_ref());
        Self { status, code, message, retry_after: None, challenge: None, detail: None }
    }

    /// Adds when to try again: in whole seconds, rounded up, at least one.
    pub fn with_retry_after(self, pause: Duration) -> Self {
        let seconds = u32::try_from(pause.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
        Self { retry_after: Some(seconds.max(1)), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body(None))).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = &self.challenge {
            let value = HeaderValue::from_str(challenge).unwrap_or(HeaderValue::from_static("Bearer"));
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_given_in_whole_seconds_and_never_as_none() {
        let told = |millis| {
            let response = ApiError::too_many("x", "y", Duration::from_millis(millis)).into_response();
            response.headers()[header::RETRY_AFTER].to_str().unwrap().to_owned()
        };
        assert_eq!((told(0), told(1_000), told(1_001)), ("1".to_owned(), "1".to_owned(), "2".to_owned()));
    }

    #[test]
    fn a_secret_in_a_message_or_a_detail_is_masked() {
        let error = ApiError::unavailable("x", "https://user:pl4nted@host is down", Duration::ZERO)
            .with_detail("Authorization: Bearer pl4nted-token");
        assert!(!format!("{error:?}").contains("pl4nted"), "{error:?}");
    }
}
