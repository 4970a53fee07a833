//! Resource Manager's way to refuse: `{"error": {"code", "message"}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ArmError {
    status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    challenge: Option<String>,
}

impl ArmError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), challenge: None }
    }

    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// `named` is the resource with its type.
    pub(super) fn resource_not_found(named: &str, group: &str) -> Self {
        let message = format!(
            "The Resource '{named}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        );
        Self::not_found("ResourceNotFound", message)
    }

    /// Another change of the container app is under way.
    pub(super) fn operation_in_progress(app: &str) -> Self {
        let message = format!(
            "Cannot modify a container app '{app}' because there is an active provisioning operation in progress. Please wait for the operation to complete and try again."
        );
        Self::new(StatusCode::CONFLICT, "ContainerAppOperationInProgress", message)
    }

    pub(super) fn unauthorized(code: &'static str, message: impl Into<String>, authority: &str) -> Self {
        let message = message.into();
        let challenge = format!(
            "Bearer authorization_uri=\"{authority}\", error=\"invalid_token\", error_description=\"{}\"",
            message.replace('"', "'")
        );
        Self { challenge: Some(challenge), ..Self::new(StatusCode::UNAUTHORIZED, code, message) }
    }
}

impl IntoResponse for ArmError {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": {"code": self.code, "message": self.message}}));
        let mut response = (self.status, body).into_response();
        if let Some(challenge) = self.challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
