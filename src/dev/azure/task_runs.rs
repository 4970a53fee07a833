//! Task runs: run requests that are resources with a name, so that asking twice builds once.
//!
//! Shapes of GET, the list and DELETE: recorded answers of api-version 2025-03-01-preview; that of PUT: the service's
//! description. That an unchanged request with an unchanged `forceUpdateTag` does not run again is documented for
//! that property and was not observed.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::arm_error::ArmError;
use super::plan::Status;
use super::request::Received;
use super::world::{Sim, World};
use super::{arm, registry, run_view, schedule};

pub(super) struct TaskRun {
    name: String,
    /// As it was sent, to tell a repetition from a change.
    request: Value,
    force_update_tag: Value,
    run: String,
    changed_by: Value,
}

pub(super) fn list(sim: &Sim) -> Response {
    let mut world = sim.world();
    let names: Vec<String> = world.task_runs.keys().cloned().collect();
    let all: Vec<Value> = names.iter().filter_map(|name| view(sim, &mut world, name)).collect();
    Json(json!({"value": all})).into_response()
}

pub(super) fn one(sim: &Sim, request: &Received, claims: &Value, name: &str) -> Result<Response, ArmError> {
    let key = name.to_lowercase();
    match request.parts.method {
        Method::PUT => put(sim, request, claims, name),
        Method::DELETE => {
            let gone = sim.world().task_runs.remove(&key).is_some();
            Ok(if gone { StatusCode::OK } else { StatusCode::NO_CONTENT }.into_response())
        }
        _ => {
            let view = view(sim, &mut sim.world(), &key);
            view.map(|view| Json(view).into_response()).ok_or_else(|| {
                let resource =
                    format!("Microsoft.ContainerRegistry/registries/{}/taskRuns/{name}", sim.options.registry);
                ArmError::not_found("ResourceNotFound", format!("The Resource '{resource}' was not found."))
            })
        }
    }
}

fn put(sim: &Sim, request: &Received, claims: &Value, name: &str) -> Result<Response, ArmError> {
    let fits =
        (5..=50).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !fits {
        let message = "A task run's name has 5 to 50 letters, digits, dashes and underscores.";
        return Err(ArmError::bad_request("InvalidTaskRunName", message));
    }
    let body = arm::parsed(request)?;
    let (wanted, tag) = (body["properties"]["runRequest"].clone(), body["properties"]["forceUpdateTag"].clone());
    let key = name.to_lowercase();
    let mut world = sim.world();
    let known = world.task_runs.get(&key).map(|known| known.request == wanted && known.force_update_tag == tag);
    if known != Some(true) {
        let run = schedule::queue(sim, &mut world, &wanted, claims)?;
        let changed_by = arm::changed_by(claims, sim.clock.now());
        let task_run = TaskRun { name: name.to_owned(), request: wanted, force_update_tag: tag, run, changed_by };
        world.task_runs.insert(key.clone(), task_run);
    }
    let status = if known.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let view = view(sim, &mut world, &key);
    Ok((status, Json(view)).into_response())
}

fn view(sim: &Sim, world: &mut World, key: &str) -> Option<Value> {
    let id = world.task_runs.get(key)?.run.clone();
    let run = world.look_at(sim, &id)?;
    let (result, state) = (run_view::full(sim, run), provisioning_state(run.status));
    let TaskRun { name, request, changed_by, .. } = world.task_runs.get(key)?;
    Some(json!({
        "type": "Microsoft.ContainerRegistry/registries/taskRuns",
        "properties": {"provisioningState": state, "runRequest": without_secrets(request), "runResult": result},
        "location": registry::LOCATION,
        "id": format!("{}/taskRuns/{name}", sim.registry_id()),
        "name": name,
        "systemData": changed_by,
    }))
}

fn provisioning_state(status: Status) -> &'static str {
    match status {
        Status::Queued | Status::Started | Status::Running => "Creating",
        Status::Succeeded => "Succeeded",
        Status::Canceled => "Canceled",
        Status::Failed | Status::Error | Status::Timeout => "Failed",
    }
}

fn without_secrets(request: &Value) -> Value {
    let mut request = request.clone();
    for argument in request["arguments"].as_array_mut().into_iter().flatten() {
        if argument["isSecret"] == true
            && let Some(argument) = argument.as_object_mut()
        {
            argument.remove("value");
        }
    }
    request
}
