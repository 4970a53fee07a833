//! What a request gets that meets a fault.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::arm_error::ArmError;
use super::faults::RequestEffect;
use super::storage_error::StorageError;
use super::{dataplane, storage};

impl RequestEffect {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::Fail { .. } => "fail",
            Self::Drop => "drop",
            Self::LoseReply => "lose_reply",
            Self::FailLate { .. } => "fail_late",
            Self::Slow { .. } => "slow",
            Self::SlowReply { .. } => "slow_reply",
            Self::ExpiredSignature => "expired_signature",
        }
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Slow { millis } => Some(Duration::from_millis(*millis)),
            _ => None,
        }
    }

    /// How long an answer waits after the call took effect.
    pub(super) fn late(&self) -> Option<Duration> {
        match self {
            Self::SlowReply { millis } => Some(Duration::from_millis(*millis)),
            _ => None,
        }
    }

    /// The answer that replaces the call's own after it took effect.
    pub(super) fn afterwards(&self, path: &str) -> Option<Response> {
        match self {
            Self::FailLate { status } => Some(failure(code(*status), path)),
            _ => None,
        }
    }

    /// The answer that replaces the call itself.
    pub(super) fn instead(&self, path: &str) -> Option<Response> {
        let response = match self {
            Self::Throttle { retry_after_s } if storage::owns(path) => {
                retry_after(StorageError::BUSY.into_response(), Some(*retry_after_s))
            }
            Self::Throttle { retry_after_s } => {
                retry_after(failure(StatusCode::TOO_MANY_REQUESTS, path), Some(*retry_after_s))
            }
            Self::Fail { status, html, retry_after_s } => {
                let status = code(*status);
                let body = if *html { page(status) } else { failure(status, path) };
                retry_after(body, *retry_after_s)
            }
            Self::ExpiredSignature => {
                StorageError::authentication("Signature not valid in the specified time frame").into_response()
            }
            Self::Drop | Self::LoseReply | Self::FailLate { .. } | Self::Slow { .. } | Self::SlowReply { .. } => {
                return None;
            }
        };
        Some(response)
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn failure(status: StatusCode, path: &str) -> Response {
    if storage::owns(path) {
        return (status, [(header::CONTENT_TYPE, "application/xml")], Body::empty()).into_response();
    }
    if dataplane::owns(path) {
        return dataplane::failure(status);
    }
    let (code, message) = match status.as_u16() {
        403 => {
            let message = format!("The client does not have authorization to perform the action over scope '{path}'.");
            return ArmError::new(status, "AuthorizationFailed", message).into_response();
        }
        404 => ("NotFound", "The resource could not be found."),
        409 if path.contains("/containerApps/") => {
            return ArmError::operation_in_progress(path.rsplit('/').next().unwrap_or_default()).into_response();
        }
        409 => ("Conflict", "The request conflicts with the state of the resource."),
        429 => ("TooManyRequests", "The request is being throttled."),
        503 => ("ServerTimeout", "The server is too busy to take the request."),
        _ => ("InternalServerError", "Encountered internal server error."),
    };
    ArmError::new(status, code, message).into_response()
}

fn page(status: StatusCode) -> Response {
    let body = format!(
        "<html><head><title>{status}</title></head><body><h2>Our services aren't available right now</h2><p>Ref A: 0 Ref B: 0 Ref C: 0</p></body></html>"
    );
    (status, [(header::CONTENT_TYPE, "text/html")], body).into_response()
}

fn retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
