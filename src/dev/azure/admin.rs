//! `/_sim/`: what Azure does not have.
//!
//! | call | does |
//! |---|---|
//! | POST tokens {version, claims, expires_in_s, forgery} | mints a caller's token: {token} |
//! | POST keys/rotate | a new signing key; the old one vanishes from the key set |
//! | GET, POST, DELETE faults | lists, adds (one or a list), clears |
//! | GET runs, images, requests | what was asked for and what was pushed |
//! | POST clock {skip_s} | moves the simulator's time ahead |
//! | POST reset | as after a start |

use std::time::Duration;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::faults::Fault;
use super::keys::Key;
use super::request::Received;
use super::run_view::RunRecord;
use super::tokens;
use super::world::Sim;

const ROOT: &str = "/_sim/";

pub(super) fn owns(path: &str) -> bool {
    path.starts_with(ROOT)
}

pub(super) fn answer(sim: &Sim, request: &Received) -> Response {
    serve(sim, request)
        .unwrap_or_else(|problem| (StatusCode::BAD_REQUEST, Json(json!({"error": problem}))).into_response())
}

fn serve(sim: &Sim, request: &Received) -> Result<Response, String> {
    let call = request.path().strip_prefix(ROOT).unwrap_or_default();
    let answer = match (&request.parts.method, call) {
        (&Method::POST, "tokens") => json!({"token": tokens::user_token(sim, &read(request)?)}),
        (&Method::POST, "keys/rotate") => {
            sim.keys.rotate(Key::generate().map_err(|error| error.to_string())?);
            json!({"kid": sim.keys.current().map(|key| key.kid.clone())})
        }
        (&Method::GET, "faults") => json!(*sim.faults()),
        (&Method::POST, "faults") => {
            let body: Value = read(request)?;
            let many = if body.is_array() { body } else { json!([body]) };
            let faults: Vec<Fault> = serde_json::from_value(many).map_err(|error| error.to_string())?;
            sim.faults().extend(faults);
            json!(*sim.faults())
        }
        (&Method::DELETE, "faults") => {
            sim.faults().clear();
            json!([])
        }
        (&Method::GET, "runs") => {
            json!(sim.world().up_to_date(sim).runs.iter().map(RunRecord::of).collect::<Vec<_>>())
        }
        (&Method::GET, "images") => json!(sim.world().up_to_date(sim).images),
        (&Method::GET, "requests") => json!(*sim.requests()),
        (&Method::POST, "clock") => {
            let body: Value = read(request)?;
            let skip = body["skip_s"].as_u64().ok_or("skip_s is not a number of seconds")?;
            sim.clock.skip(Duration::from_secs(skip));
            json!({})
        }
        (&Method::POST, "reset") => {
            sim.reset();
            json!({})
        }
        _ => return Ok(StatusCode::NOT_FOUND.into_response()),
    };
    Ok(Json(answer).into_response())
}

fn read<T: DeserializeOwned>(request: &Received) -> Result<T, String> {
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
