//! What holds for every request: an id, one log line, an answer in our form whatever happens inside.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use super::error::ApiError;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::trace::Trace;
use crate::engine;
use crate::model::redact;

const PATH_LIMIT: usize = 256;

/// Puts all routes behind the boundary. Unknown routes answer 404 `route_not_found`, known ones with another method
/// 405 `method_not_allowed` and Allow, a panic 500 `internal`. To be called last: later routes would stand outside.
pub fn behind_boundary<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(boundary))
}

async fn route_not_found() -> ApiError {
    ApiError::not_found("route_not_found", "There is nothing at this path. The README lists what there is.")
}

async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed("method_not_allowed", "This path takes other methods; the header Allow names them.")
}

async fn boundary(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let method = request.method().clone();
    let path: String = redact(request.uri().path()).chars().take(PATH_LIMIT).collect();
    request.extensions_mut().insert(id.clone());
    let trace = Trace::of(&request, &id);

    let mut response = AssertUnwindSafe(engine::traced(trace.place, next.run(request)).instrument(trace.span.clone()))
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| ApiError::internal(format!("panic: {}", words(panic.as_ref()))).into_response());

    let error = response.extensions_mut().remove::<ApiError>();
    if let Some(error) = &error {
        name_request(&mut response, error, &id);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }

    trace.answered(&response, error.as_ref());
    let status = response.status().as_u16();
    let code = error.as_ref().map(ApiError::code);
    let detail = error.as_ref().and_then(ApiError::detail);
    let (ms, request_id) = (u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), id.as_str());
    match response.status().is_server_error() {
        true => tracing::error!(%method, path, status, ms, request_id, code, detail, "request"),
        false => tracing::info!(%method, path, status, ms, request_id, code, detail, "request"),
    }
    response
}

/// Writes the error's body again, now with the request's id.
fn name_request(response: &mut Response, error: &ApiError, id: &RequestId) {
    if let Ok(body) = serde_json::to_vec(&error.body(Some(id.as_str()))) {
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body);
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
