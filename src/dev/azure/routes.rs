//! Which room answers which path.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::request::Received;
use super::world::Sim;
use super::{admin, apps, arm, dataplane, entra, identity, storage};

/// Blocks: builds are planned while their request waits.
pub(super) fn answer(sim: &Sim, request: &Received) -> Response {
    let path = request.path();
    if path.eq_ignore_ascii_case("/msi/token") && request.parts.method == axum::http::Method::GET {
        identity::answer(sim, request)
    } else if admin::owns(path) {
        admin::answer(sim, request)
    } else if arm::owns(path) {
        arm::answer(sim, request)
    } else if dataplane::owns(path) {
        dataplane::answer(sim, request)
    } else if apps::owns(path) {
        apps::answer(sim, request)
    } else if storage::owns(path) {
        storage::answer(sim, request)
    } else {
        entra::answer(sim, request).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
    }
}
