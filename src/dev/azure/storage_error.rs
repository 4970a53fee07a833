//! Storage refuses in XML, and on HEAD in a header alone.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct StorageError {
    pub(super) status: u16,
    pub(super) code: &'static str,
    message: &'static str,
    detail: Option<Cow<'static, str>>,
}

impl StorageError {
    pub(super) const NO_ACCESS: Self =
        Self::of(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.");
    pub(super) const PERMISSION: Self = Self::of(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    );
    pub(super) const BLOB_NOT_FOUND: Self = Self::of(404, "BlobNotFound", "The specified blob does not exist.");
    pub(super) const RANGE: Self =
        Self::of(416, "InvalidRange", "The range specified is invalid for the current size of the resource.");
    pub(super) const LENGTH: Self =
        Self::of(411, "MissingContentLengthHeader", "Content-Length header was not specified.");
    pub(super) const VERB: Self =
        Self::of(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.");
    pub(super) const BUSY: Self = Self::of(503, "ServerBusy", "The server is busy.");

    const fn of(status: u16, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, detail: None }
    }

    pub(super) fn authentication(detail: &str) -> Self {
        Self {
            detail: Some(Cow::Owned(detail.to_owned())),
            ..Self::of(
                403,
                "AuthenticationFailed",
                "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.",
            )
        }
    }

    pub(super) fn missing_header(name: &str) -> Self {
        Self {
            detail: Some(Cow::Owned(name.to_owned())),
            ..Self::of(
                400,
                "MissingRequiredHeader",
                "An HTTP header that's mandatory for this request is not specified.",
            )
        }
    }

    pub(super) fn header_value(name: &str) -> Self {
        Self {
            detail: Some(Cow::Owned(name.to_owned())),
            ..Self::of(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
        }
    }
}

impl IntoResponse for StorageError {
    fn into_response(self) -> Response {
        let request = Uuid::new_v4();
        let detail =
            self.detail.map(|detail| format!("<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>"));
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}\nRequestId:{request}</Message>{}</Error>",
            self.code,
            self.message,
            detail.unwrap_or_default()
        );
        let mut response = (StatusCode::from_u16(self.status).unwrap_or_default(), Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert("content-type", axum::http::HeaderValue::from_static("application/xml"));
        headers.insert("x-ms-error-code", axum::http::HeaderValue::from_static(self.code));
        if let Ok(request) = request.to_string().parse() {
            headers.insert("x-ms-request-id", request);
        }
        response
    }
}
