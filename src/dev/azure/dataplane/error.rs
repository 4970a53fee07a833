//! The registry's way to refuse: `{"errors": [{"code", "message", "detail"}]}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RegistryError {
    status: StatusCode,
    pub(super) code: &'static str,
    message: String,
    detail: Value,
    challenge: Option<String>,
}

impl RegistryError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>, detail: Value) -> Self {
        Self { status, code, message: message.into(), detail, challenge: None }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, Value::Null)
    }

    pub(super) fn unauthorized(detail: Value) -> Self {
        let message = "authentication required, visit https://aka.ms/acr/authorization for more information.";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message, detail)
    }

    /// With a challenge that says how to do better.
    pub(super) fn challenging(self, challenge: String) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    pub(super) fn name_unknown(repository: &str) -> Self {
        let detail = json!({"name": repository});
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry", detail)
    }

    pub(super) fn tag_unknown(tag: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "TAG_UNKNOWN", "the specified tag does not exist", json!({"name": tag}))
    }

    pub(super) fn unsupported(status: StatusCode, message: &str) -> Self {
        Self::new(status, "UNSUPPORTED", message, Value::Null)
    }
}

/// What a fault with this status says.
pub(in crate::dev::azure) fn failure(status: StatusCode) -> Response {
    let (code, message) = match status.as_u16() {
        429 => ("TOOMANYREQUESTS", "too many requests"),
        401 | 403 => ("DENIED", "requested access to the resource is denied"),
        404 => ("NOT_FOUND", "404 page not found"),
        _ => ("UNKNOWN", "unknown error"),
    };
    RegistryError::new(status, code, message, Value::Null).into_response()
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        let error = json!({"code": self.code, "message": self.message, "detail": self.detail});
        let mut response = (self.status, Json(json!({"errors": [error]}))).into_response();
        if let Some(challenge) = self.challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
