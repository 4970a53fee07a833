//! Somebody who calls the API.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower::ServiceExt;

pub const ADA: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub const ADMIN: &str = "cccccccc-0000-0000-0000-000000000003";

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    bytes: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub fn code(&self) -> (u16, String) {
        (self.status, self.body()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// One call by somebody with or without the role of an admin; no body: none is sent.
pub async fn call(router: &Router, who: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let role = if who == ADMIN { "UpgradeAdmin" } else { "Reader" };
    let claims = json!([{"typ": "oid", "val": who}, {"typ": "tid", "val": "tenant"}, {"typ": "roles", "val": role}]);
    let principal = json!({"auth_typ": "aad", "claims": claims}).to_string();
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("x-ms-client-principal", STANDARD.encode(principal));
    let body = match body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
}
