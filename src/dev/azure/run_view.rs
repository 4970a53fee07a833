//! A run as Runs_Get tells it, and as the simulator tells a test.

use serde::Serialize;
use serde_json::{Value, json};

use super::clock;
use super::run::Run;
use super::world::Sim;

const KIND: &str = "Microsoft.ContainerRegistry/registries/runs";

/// The answer of scheduleRun: less than a run has.
pub(super) fn scheduled(sim: &Sim, run: &Run) -> Value {
    json!({
        "type": KIND,
        "properties": {
            "runId": run.id,
            "status": run.status.name(),
            "lastUpdatedTime": clock::to_the_second(run.updated_at),
            "provisioningState": "Succeeded",
            "isArchiveEnabled": run.request.archived,
        },
        "id": id(sim, run),
        "name": run.id,
        "systemData": run.changed_by,
    })
}

/// Times and images are absent until they are known; image names, sources and arguments are never told.
pub(super) fn full(sim: &Sim, run: &Run) -> Value {
    let mut properties = json!({
        "runId": run.id,
        "status": run.status.name(),
        "lastUpdatedTime": clock::to_the_second(run.updated_at),
        "runType": "QuickRun",
        "createTime": clock::precise(run.created_at),
        "platform": {"os": run.request.os, "architecture": run.request.architecture},
        "agentConfiguration": {"cpu": run.request.cpu},
        "provisioningState": "Succeeded",
        "isArchiveEnabled": run.request.archived,
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(properties)) = (value, properties.as_object_mut()) {
            properties.insert(name.to_owned(), value);
        }
    };
    set("startTime", run.started_at.map(|at| clock::precise(at).into()));
    set("finishTime", run.finished_at.map(|at| clock::precise(at).into()));
    set("runErrorMessage", run.error.clone().map(Value::from));
    let images = run.outputs.iter().map(|image| {
        json!({
            "registry": sim.login_server(), "repository": image.repository, "tag": image.tag, "digest": image.digest,
        })
    });
    set("outputImages", Some(images.collect::<Vec<_>>()).filter(|images| !images.is_empty()).map(Value::from));
    json!({
        "type": KIND,
        "properties": properties,
        "id": id(sim, run),
        "name": run.id,
        "systemData": run.changed_by,
    })
}

fn id(sim: &Sim, run: &Run) -> String {
    format!("{}/runs/{}", sim.registry_id(), run.id)
}

/// What Azure would not tell: what was asked for. Secret values are left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunRecord {
    pub run_id: String,
    pub status: &'static str,
    pub images: Vec<String>,
    pub dockerfile: String,
    pub source: String,
    /// A secret's value is `None`.
    pub arguments: Vec<(String, Option<String>)>,
    pub digest: Option<String>,
    pub error: Option<String>,
}

impl RunRecord {
    pub(super) fn of(run: &Run) -> Self {
        let secrets = run.request.secret_names();
        let shown = |(name, value): (String, String)| {
            let value = (!secrets.contains(&name)).then_some(value);
            (name, value)
        };
        Self {
            run_id: run.id.clone(),
            status: run.status.name(),
            images: run.request.images.clone(),
            dockerfile: run.request.dockerfile.clone(),
            source: run.request.source.clone(),
            arguments: run.request.arguments().into_iter().map(shown).collect(),
            digest: run.outputs.first().map(|image| image.digest.clone()),
            error: run.error.clone(),
        }
    }
}
