//! The app as ContainerApps_Get tells it. Quirks of recorded answers: what is unset is there as null, the id has its
//! type in lower case, the location is the one for display, and a creation time has no zone.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::app::ContainerApp;
use crate::dev::azure::clock;
use crate::dev::azure::registry::{LOCATION, LOCATION_SHOWN};
use crate::dev::azure::world::Sim;

const DOMAIN: &str = "calmwave-0d454dbe";

/// `<name>.<environment>.<location>.azurecontainerapps.io`
pub(super) fn fqdn(name: &str) -> String {
    format!("{name}.{DOMAIN}.{LOCATION}.azurecontainerapps.io")
}

/// The resource id with the type written as `kind`.
pub(super) fn id(sim: &Sim, kind: &str) -> String {
    let (subscription, group) = (&sim.options.subscription_id, &sim.options.resource_group);
    let name = &sim.options.container_app;
    format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.App/{kind}/{name}")
}

pub(super) fn environment(sim: &Sim) -> String {
    let (subscription, group) = (&sim.options.subscription_id, &sim.options.resource_group);
    format!(
        "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.App/managedEnvironments/windlass-env"
    )
}

pub(super) fn app(sim: &Sim, app: &ContainerApp) -> Value {
    json!({
        "id": id(sim, "containerapps"),
        "name": sim.options.container_app,
        "type": "Microsoft.App/containerApps",
        "location": LOCATION_SHOWN,
        "tags": app.body["tags"],
        "systemData": system_data(app),
        "properties": properties(sim, app),
        "identity": identity(&app.body["identity"]),
    })
}

fn identity(stored: &Value) -> Value {
    if stored.is_null() { json!({"type": "None"}) } else { stored.clone() }
}

fn system_data(app: &ContainerApp) -> Value {
    let mut data = app.changed_by.clone();
    data["createdBy"] = json!("installer@simulated.example");
    data["createdByType"] = json!("User");
    data["createdAt"] = json!(clock::zoneless(app.created_at));
    let changed = data["lastModifiedAt"].as_str().map_or_else(|| clock::zoneless(app.created_at), zoneless);
    data["lastModifiedAt"] = json!(changed);
    data
}

fn zoneless(precise: &str) -> String {
    precise.split('+').next().unwrap_or_default().to_owned()
}

fn properties(sim: &Sim, app: &ContainerApp) -> Value {
    let latest = app.latest().map_or("", |revision| &revision.name);
    let ready = app.latest_ready().map_or("", |revision| &revision.name);
    let environment = environment(sim);
    json!({
        "provisioningState": app.state,
        "runningStatus": "Running",
        "managedEnvironmentId": environment,
        "environmentId": environment,
        "workloadProfileName": app.body["properties"]["workloadProfileName"],
        "outboundIpAddresses": ["20.31.0.17", "20.31.0.18"],
        "latestRevisionName": latest,
        "latestReadyRevisionName": ready,
        "latestRevisionFqdn": if latest.is_empty() { String::new() } else { fqdn(latest) },
        "customDomainVerificationId": "5F9A0D1BE2C74C0E8A3D6B1F4E7A9C2D5F9A0D1BE2C74C0E8A3D6B1F4E7A9C2D",
        "configuration": configuration(sim, app),
        "template": template(app.template()),
        "eventStreamEndpoint": format!(
            "https://{LOCATION}.azurecontainerapps.dev{}/eventstream", id(sim, "containerApps")
        ),
        "delegatedIdentities": [],
    })
}

/// Secrets by their names alone.
fn configuration(sim: &Sim, app: &ContainerApp) -> Value {
    let unset = ["secrets", "ingress", "registries", "dapr", "runtime", "maxInactiveRevisions", "service"];
    let mut told = with_nulls(&unset, app.configuration());
    if told["activeRevisionsMode"].is_null() {
        told["activeRevisionsMode"] = json!("Single");
    }
    if let Some(secrets) = told["secrets"].as_array_mut() {
        for secret in secrets {
            if let Some(secret) = secret.as_object_mut() {
                secret.remove("value");
            }
        }
    }
    if told["ingress"].is_object() {
        let unset = [
            "customDomains",
            "ipSecurityRestrictions",
            "corsPolicy",
            "clientCertificateMode",
            "stickySessions",
            "additionalPortMappings",
        ];
        told["ingress"] = with_nulls(&unset, &told["ingress"]);
        told["ingress"]["fqdn"] = json!(fqdn(&sim.options.container_app));
    }
    told
}

fn template(stored: &Value) -> Value {
    let unset = ["terminationGracePeriodSeconds", "initContainers", "scale", "volumes", "serviceBinds"];
    let mut told = with_nulls(&unset, stored);
    if told["revisionSuffix"].is_null() {
        told["revisionSuffix"] = json!("");
    }
    if told["scale"].is_object() {
        told["scale"] = with_nulls(&["rules", "cooldownPeriod", "pollingInterval"], &told["scale"]);
    }
    for kind in ["containers", "initContainers"] {
        for container in told[kind].as_array_mut().into_iter().flatten() {
            if container["resources"].is_object() && container["resources"]["ephemeralStorage"].is_null() {
                container["resources"]["ephemeralStorage"] = json!("");
            }
        }
    }
    told
}

/// As a revision tells it: as it was stored, with what is unset as null.
pub(super) fn revision_template(stored: &Value) -> Value {
    let unset =
        ["revisionSuffix", "terminationGracePeriodSeconds", "initContainers", "scale", "volumes", "serviceBinds"];
    let mut told = with_nulls(&unset, stored);
    for container in told["containers"].as_array_mut().into_iter().flatten() {
        if container["probes"].is_null() {
            container["probes"] = json!([]);
        }
    }
    told
}

fn with_nulls(names: &[&str], stored: &Value) -> Value {
    let mut told: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    told.extend(stored.as_object().cloned().unwrap_or_default());
    Value::Object(told)
}

/// `2026-10-30T10:23:13+00:00`
pub(super) fn second(at: OffsetDateTime) -> Value {
    json!(clock::to_the_second(at))
}
