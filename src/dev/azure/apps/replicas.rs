//! ListReplicas and GetReplica. A revision without replicas has an empty list. Not paged.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::revision::Revision;
use super::revisions::found;
use super::states::Trouble;
use super::view;
use crate::dev::azure::arm_error::ArmError;
use crate::dev::azure::clock;
use crate::dev::azure::world::Sim;

pub(super) fn list(sim: &Sim, revision: &str) -> Result<Response, ArmError> {
    let mut world = sim.world();
    world.look_at_app(sim);
    let all = told(sim, found(sim, &mut world.apps, revision)?);
    Ok(Json(json!({"value": all})).into_response())
}

pub(super) fn get(sim: &Sim, revision: &str, replica: &str) -> Result<Response, ArmError> {
    let mut world = sim.world();
    world.look_at_app(sim);
    let all = told(sim, found(sim, &mut world.apps, revision)?);
    let one = all.into_iter().find(|told| told["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(replica)));
    one.map(|one| Json(one).into_response()).ok_or_else(|| {
        ArmError::not_found(
            "ReplicaNotFound",
            format!("The replica '{replica}' was not found for revision '{revision}'."),
        )
    })
}

fn told(sim: &Sim, revision: &Revision) -> Vec<Value> {
    revision.replica_names().iter().map(|name| replica(sim, revision, name)).collect()
}

fn replica(sim: &Sim, revision: &Revision, name: &str) -> Value {
    let state = revision.state();
    let containers: Vec<Value> =
        revision.containers().iter().map(|it| container(sim, revision, name, it, &state.trouble)).collect();
    let runs = state.ready || state.trouble == Trouble::NotReady;
    json!({
        "id": format!("{}/revisions/{}/replicas/{name}", view::id(sim, "containerApps"), revision.name),
        "name": name,
        "type": "Microsoft.Web/containerapps/revisions/replicas",
        "properties": {
            "createdTime": clock::zulu(revision.replicas_since),
            "runningState": if runs { "Running" } else { "NotRunning" },
            "runningStateDetails": state.details.unwrap_or_default(),
            "containers": containers,
            "initContainers": [],
        },
    })
}

fn container(sim: &Sim, revision: &Revision, replica: &str, container: &Value, trouble: &Trouble) -> Value {
    let name = container["name"].as_str().unwrap_or_default();
    let image = container["image"].as_str().unwrap_or_default();
    let (ready, started, restarts, state, details) = match trouble {
        Trouble::None => (true, true, 0, "Running", String::new()),
        Trouble::Young => (false, false, 0, "Waiting", "ContainerCreating".to_owned()),
        Trouble::NotReady => (false, true, 0, "Running", "The readiness probe failed.".to_owned()),
        Trouble::Crashes { container, restarts } if container == name => {
            let text = format!(
                "CrashLoopBackOff: back-off restarting failed container {name} in replica {replica}; last exit code 1"
            );
            (false, false, *restarts, "Waiting", text)
        }
        Trouble::Pull { image: missing } if missing == image => {
            (false, false, 0, "Waiting", format!("ImagePullBackOff: Back-off pulling image \"{missing}\""))
        }
        Trouble::Crashes { .. } | Trouble::Pull { .. } => (true, true, 0, "Running", String::new()),
    };
    let at = format!("https://westeurope.azurecontainerapps.dev{}", view::id(sim, "containerApps"));
    let at = format!("{at}/revisions/{}/replicas/{replica}/containers/{name}", revision.name);
    json!({
        "name": name,
        "containerId": if started { container_id(replica, name) } else { String::new() },
        "ready": ready,
        "started": started,
        "restartCount": restarts,
        "runningState": state,
        "runningStateDetails": details,
        "logStreamEndpoint": format!("{at}/logstream"),
        "execEndpoint": format!("{at}/exec"),
    })
}

fn container_id(replica: &str, container: &str) -> String {
    format!("containerd://{}", hex::encode(Sha256::digest(format!("{replica}/{container}"))))
}
