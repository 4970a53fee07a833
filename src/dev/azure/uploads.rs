//! Where a build's source archive goes: each call offers one new blob.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::world::Sim;
use super::{clock, storage};

pub(super) fn offer(sim: &Sim) -> Response {
    let now = sim.clock.now();
    let minute = clock::compact(now).replace('T', "");
    let relative = format!("source/{}/{}.tar.gz", &minute[..12], Uuid::new_v4());
    sim.world().uploads.insert(relative.clone(), None);
    let url = storage::link(sim, &relative, "cw", now);
    Json(json!({"uploadUrl": url, "relativePath": relative})).into_response()
}
