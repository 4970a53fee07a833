//! The two answers to an invocation.

use std::io::Write as _;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::model::redact;

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// Done: the host deletes the message. Outputs stay empty, because every ticket goes through the queue's own API.
pub fn success() -> Response {
    (JSON, r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#).into_response()
}

/// Not done: the host delivers the message again, and shows nothing of the body but what we say on stderr.
pub fn failure(function: &str, reason: &str) -> Response {
    let reason = redact(&reason.replace('\n', " "));
    // The host discards a failed invocation's body and logs. That it died and does not read stderr is no reason to panic.
    let _ = writeln!(std::io::stderr(), "invocation of {function} failed: {reason}");
    let body = serde_json::json!({"Outputs": {}, "Logs": [reason], "ReturnValue": null}).to_string();
    (StatusCode::INTERNAL_SERVER_ERROR, JSON, body).into_response()
}

/// To somebody who is not the host, a function does not exist.
pub fn not_found() -> Response {
    let body = r#"{"code":"route_not_found","message":"there is nothing here"}"#;
    (StatusCode::NOT_FOUND, JSON, body).into_response()
}
