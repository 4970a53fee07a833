//! A revision as the service tells it, and as the simulator tells a test.

use serde::Serialize;
use serde_json::{Value, json};

use super::app::ContainerApp;
use super::revision::Revision;
use super::view;
use crate::dev::azure::world::Sim;

pub(super) fn full(sim: &Sim, app: &ContainerApp, revision: &Revision) -> Value {
    let state = revision.state();
    let mut properties = json!({
        "createdTime": view::second(revision.created_at),
        "fqdn": view::fqdn(&revision.name),
        "template": view::revision_template(&revision.template),
        "active": revision.active,
        "replicas": state.replicas,
        "trafficWeight": app.weight(revision),
        "healthState": state.health,
        "provisioningState": state.provisioning,
        "runningState": state.running,
    });
    let mut set = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(properties)) = (value, properties.as_object_mut()) {
            properties.insert(name.to_owned(), value);
        }
    };
    set("lastActiveTime", revision.ready_at.map(|_| view::second(revision.last_active_at)));
    set("provisioningError", state.error.map(Value::from));
    set("runningStateDetails", state.details.map(Value::from));
    json!({
        "id": format!("{}/revisions/{}", view::id(sim, "containerApps"), revision.name),
        "name": revision.name,
        "type": "Microsoft.App/containerapps/revisions",
        "properties": properties,
    })
}

/// A revision in short.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RevisionRecord {
    pub name: String,
    pub active: bool,
    /// The percentage of requests that it gets.
    pub weight: u64,
    pub replicas: u64,
    pub provisioning_state: &'static str,
    pub running_state: &'static str,
    pub health_state: &'static str,
    /// Container and image, in the template's order.
    pub images: Vec<(String, String)>,
}

pub(super) fn record(app: &ContainerApp, revision: &Revision) -> RevisionRecord {
    let state = revision.state();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    RevisionRecord {
        name: revision.name.clone(),
        active: revision.active,
        weight: app.weight(revision),
        replicas: state.replicas,
        provisioning_state: state.provisioning,
        running_state: state.running,
        health_state: state.health,
        images: revision.containers().iter().map(|it| (text(&it["name"]), text(&it["image"]))).collect(),
    }
}
