//! Which call of the data plane a path is. Repositories have slashes in their names, and the path has them too.

use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::error::RegistryError;
use super::{challenge, manifests, tags, tokens};
use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;

pub(in crate::dev::azure) fn owns(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/") || path.starts_with("/acr/v1/") || is_token_call(path)
}

fn is_token_call(path: &str) -> bool {
    path == "/oauth2/exchange" || path == "/oauth2/token"
}

pub(in crate::dev::azure) fn answer(sim: &Sim, request: &Received) -> Response {
    let mut response = serve(sim, request).unwrap_or_else(RegistryError::into_response);
    let headers = response.headers_mut();
    if !is_token_call(request.path()) {
        headers.insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    }
    if headers.get("content-type").is_some_and(|kind| kind == "application/json") {
        headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    }
    response
}

fn serve(sim: &Sim, request: &Received) -> Result<Response, RegistryError> {
    let path = request.path();
    let method = &request.parts.method;
    if is_token_call(path) {
        expect(request, &[Method::POST])?;
        return if path.ends_with("exchange") { tokens::exchange(sim, request) } else { tokens::token(sim, request) };
    }
    if path.contains('%') {
        let message = "invalid repository name: names are not percent-encoded in a path";
        return Err(RegistryError::new(StatusCode::BAD_REQUEST, "NAME_INVALID", message, json!({})));
    }
    if let Some(rest) = path.strip_prefix("/acr/v1/") {
        let deleting = *method == Method::DELETE;
        return match split(rest) {
            Some((name, "_tags", None)) => {
                expect(request, &[Method::GET]).and_then(|()| tags::list(sim, request, name))
            }
            Some((name, "_tags", Some(tag))) if deleting => tags::delete(sim, request, name, tag),
            Some((name, "_tags", Some(tag))) => {
                expect(request, &[Method::GET, Method::DELETE]).and_then(|()| tags::get(sim, request, name, tag))
            }
            Some((name, "_manifests", digest)) => {
                expect(request, &[Method::GET])?;
                match digest {
                    None => manifests::list(sim, request, name),
                    Some(digest) => manifests::attributes(sim, request, name, digest),
                }
            }
            _ => Err(not_found()),
        };
    }
    let rest = path.trim_start_matches("/v2").trim_start_matches('/');
    if rest.is_empty() {
        expect(request, &[Method::GET, Method::HEAD])?;
        challenge::access(sim, request, None)?;
        return Ok(axum::Json(json!({})).into_response());
    }
    match split(rest) {
        Some((name, "manifests", Some(reference))) if *method == Method::DELETE => {
            manifests::delete(sim, request, name, reference)
        }
        Some((name, "manifests", Some(reference))) => {
            expect(request, &[Method::GET, Method::HEAD, Method::DELETE])?;
            manifests::get(sim, request, name, reference)
        }
        _ => Err(not_found()),
    }
}

/// The repository, what of it is asked for, and which one.
fn split(path: &str) -> Option<(&str, &str, Option<&str>)> {
    let kinds = ["_tags", "_manifests", "manifests"];
    let (before, last) = path.rsplit_once('/')?;
    if kinds.contains(&last) && last.starts_with('_') {
        return Some((before, last, None));
    }
    let (name, kind) = before.rsplit_once('/')?;
    (kinds.contains(&kind) && !last.is_empty()).then_some((name, kind, Some(last)))
}

fn expect(request: &Received, methods: &[Method]) -> Result<(), RegistryError> {
    if methods.contains(&request.parts.method) {
        return Ok(());
    }
    Err(RegistryError::unsupported(StatusCode::METHOD_NOT_ALLOWED, "The operation is unsupported."))
}

fn not_found() -> RegistryError {
    RegistryError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "404 page not found", json!(null))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart_from_its_end() {
        assert_eq!(split("a/b/manifests/v1"), Some(("a/b", "manifests", Some("v1"))));
        assert_eq!(split("a/_tags"), Some(("a", "_tags", None)));
        assert_eq!(split("a/manifests/_tags/v1"), Some(("a/manifests", "_tags", Some("v1"))));
        assert_eq!(split("a/blobs/x"), None);
        assert_eq!(split("_tags"), None);
    }
}
