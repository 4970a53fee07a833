//! The application that the revisions run: `/_app/<revision>/…` is what stands behind a revision's own address, and
//! `/_app/<app>/…` what stands behind the app's.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;

const ROOT: &str = "/_app/";

pub(in crate::dev::azure) fn owns(path: &str) -> bool {
    path.starts_with(ROOT)
}

/// 200 from a revision that is ready and well, else what the ingress says when nobody answers it.
pub(in crate::dev::azure) fn answer(sim: &Sim, request: &Received) -> Response {
    let name = request.path().strip_prefix(ROOT).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if sim.world().app_up_to_date(sim).answers(name, sim) {
        return Json(json!({"status": "ok", "revision": name})).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "upstream connect error or disconnect/reset before headers").into_response()
}
