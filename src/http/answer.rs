//! Answers that are no refusals.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::conditional::Tag;

/// 202: the work goes on, and `location` tells how far it is. Ask again after `seconds`.
pub fn accepted(location: &str, seconds: u32, body: impl Serialize) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    set(&mut response, header::LOCATION, location);
    response
}

/// 200, for whoever wants to be told only of another state than this one.
pub fn tagged(tag: &Tag, body: impl Serialize) -> Response {
    with_tag(tag, Json(body).into_response())
}

/// 304: it is as it was.
pub fn not_modified(tag: &Tag) -> Response {
    with_tag(tag, StatusCode::NOT_MODIFIED.into_response())
}

/// 200 while all is well, 503 while not.
pub fn healthy(well: bool, body: impl Serialize) -> Response {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, Json(body)).into_response();
    set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

/// 200, or 206 if the bytes are the part of the whole that was asked for. `text/plain`, never to be stored or guessed
/// about.
pub fn text(bytes: Bytes, content_range: Option<String>) -> Response {
    let status = if content_range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, Body::from(bytes)).into_response();
    set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    set(&mut response, header::CACHE_CONTROL, "no-store");
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(range) = content_range {
        set(&mut response, header::CONTENT_RANGE, &range);
    }
    response
}

/// Adds the entity tag to an answer that has a body of its own.
pub fn with_tag(tag: &Tag, mut response: Response) -> Response {
    set(&mut response, header::ETAG, &tag.to_string());
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    response
}

/// A value that no header can hold is left out: ours are made of ids and numbers.
pub fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
