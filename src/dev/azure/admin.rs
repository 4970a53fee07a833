//! `/_sim/`: what Azure does not have.
//!
//! | call | does |
//! |---|---|
//! | POST tokens {version, claims, expires_in_s, forgery} | mints a caller's token: {token} |
//! | POST keys/rotate | a new signing key; the old one vanishes from the key set |
//! | GET, POST, DELETE faults | lists, adds (one or a list), clears |
//! | GET runs, images, requests | what was asked for and what is in the registry |
//! | POST, DELETE images {image} | puts `repository:tag` into the registry; takes it or `repository@digest` away |
//! | POST registry/rights {actions} | what the registry's tokens may allow at most |
//! | GET, DELETE app | the container app as it is told, without secrets; it vanishes at once |
//! | GET revisions | the app's revisions in short |
//! | POST app/mode {mode} | `single` or `multiple`; traffic rules stay |
//! | POST clock {skip_s} | moves the simulator's time ahead |
//! | POST reset | as after a start |

use std::time::Duration;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::faults::Fault;
use super::keys::Key;
use super::options::RevisionsMode;
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
        (&Method::GET, "images") => json!(sim.world().up_to_date(sim).registry.tagged()),
        (&Method::POST, "images") => {
            let Image { image } = read(request)?;
            let (repository, tag) = image.split_once(':').ok_or("image is not repository:tag")?;
            json!({"digest": sim.world().push_image(sim, repository, tag)})
        }
        (&Method::DELETE, "images") => {
            let Image { image } = read(request)?;
            let mut world = sim.world();
            world.up_to_date(sim);
            json!({"deleted": world.registry.delete(&image)})
        }
        (&Method::POST, "registry/rights") => {
            let body: Value = read(request)?;
            let actions = serde_json::from_value(body["actions"].clone()).map_err(|error| error.to_string())?;
            sim.world().registry_rights = actions;
            json!({})
        }
        (&Method::GET, "app") => sim.world().app_up_to_date(sim).told(sim),
        (&Method::DELETE, "app") => {
            sim.world().apps.vanish(sim);
            json!({})
        }
        (&Method::POST, "app/mode") => {
            let body: Value = read(request)?;
            let mode: RevisionsMode =
                serde_json::from_value(body["mode"].clone()).map_err(|error| error.to_string())?;
            sim.world().apps.set_mode(mode, sim.clock.now());
            json!({})
        }
        (&Method::GET, "revisions") => json!(sim.world().app_up_to_date(sim).records()),
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    image: String,
}

fn read<T: DeserializeOwned>(request: &Received) -> Result<T, String> {
    let body: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
