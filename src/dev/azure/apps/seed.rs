//! The app as a platform has it that was installed a while ago: four containers of three images.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::app::ContainerApp;
use super::revision::{Revision, SETTLED};
use crate::dev::azure::options::{RevisionsMode, SimOptions};
use crate::dev::azure::registry::LOCATION_SHOWN;

/// What is in the registry from the start.
pub(in crate::dev::azure) const IMAGES: [&str; 3] = ["elb-api", "elb-frontend", "elb-terminal"];
pub(in crate::dev::azure) const TAG: &str = "v1.0.0";
const SUFFIX: &str = "v1-0-0-seed";

pub(in crate::dev::azure) fn installed_at(now: OffsetDateTime) -> OffsetDateTime {
    now - time::Duration::days(30)
}

pub(super) fn app(options: &SimOptions, login_server: &str, now: OffsetDateTime) -> ContainerApp {
    let at = installed_at(now);
    let template = template(login_server);
    let name = format!("{}--{SUFFIX}", options.container_app);
    let traffic = match options.revisions_mode {
        RevisionsMode::Single => json!([{"weight": 100, "latestRevision": true}]),
        RevisionsMode::Multiple => json!([{"weight": 100, "revisionName": name}]),
    };
    let configuration = configuration(options, login_server, &traffic);
    let mut revision = Revision::new(name, template.clone(), Vec::new(), at);
    (revision.age, revision.ready_at) = (SETTLED, Some(at));
    let mut app = ContainerApp {
        body: json!({
            "location": LOCATION_SHOWN,
            "tags": {"platform": "elb"},
            "identity": {
                "type": "UserAssigned",
                "userAssignedIdentities": {
                    (identity(options)): {
                        "principalId": "0b7c1a52-6d0e-4f43-9a51-2f9f0c6f8a11",
                        "clientId": "c0de5a0e-4f6b-4c57-8f0a-9a4b1e7d3c22",
                    },
                },
            },
            "properties": {"configuration": configuration, "template": template, "workloadProfileName": "Consumption"},
        }),
        revisions: vec![revision],
        state: "Succeeded",
        created_at: at,
        changed_by: json!({
            "lastModifiedBy": "installer@simulated.example", "lastModifiedByType": "User",
        }),
        traffic,
    };
    app.route(at);
    app
}

fn identity(options: &SimOptions) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}-id",
        options.subscription_id, options.resource_group, options.container_app
    )
}

fn configuration(options: &SimOptions, login_server: &str, traffic: &Value) -> Value {
    json!({
        "secrets": [
            {"name": "session-key", "value": "s1mulated-session-key"},
            {"name": "database-url", "value": "postgres://elb:s1mulated-password@db/elb"},
        ],
        "activeRevisionsMode": options.revisions_mode.name(),
        "ingress": {
            "external": true, "targetPort": 8080, "exposedPort": 0, "transport": "Auto", "traffic": traffic,
            "allowInsecure": false,
        },
        "registries": [
            {"server": login_server, "username": "", "passwordSecretRef": "", "identity": identity(options)},
        ],
        "maxInactiveRevisions": 100,
    })
}

fn template(login_server: &str) -> Value {
    let image = |repository: &str| format!("{login_server}/{repository}:{TAG}");
    let resources = |cpu: f64, memory: &str| json!({"cpu": cpu, "memory": memory});
    let probe = |kind: &str, path: &str, port: u16| json!({"type": kind, "httpGet": {"path": path, "port": port, "scheme": "HTTP"}, "periodSeconds": 10});
    let data = json!([{"volumeName": "data", "mountPath": "/data"}]);
    json!({
        "revisionSuffix": SUFFIX,
        "containers": [
            {
                "image": image("elb-api"), "name": "api",
                "env": [
                    {"name": "LOG_LEVEL", "value": "info"},
                    {"name": "DATABASE_URL", "secretRef": "database-url"},
                ],
                "resources": resources(0.5, "1Gi"),
                "probes": [probe("Liveness", "/healthz", 8000), probe("Readiness", "/readyz", 8000)],
                "volumeMounts": data,
            },
            {
                "image": image("elb-api"), "name": "worker", "command": ["elb-worker"], "args": ["--queues", "default"],
                "env": [{"name": "SESSION_KEY", "secretRef": "session-key"}, {"name": "WORKERS", "value": "2"}],
                "resources": resources(0.25, "0.5Gi"), "volumeMounts": data,
            },
            {
                "image": image("elb-frontend"), "name": "frontend",
                "env": [{"name": "API_ORIGIN", "value": "http://localhost:8000"}],
                "resources": resources(0.25, "0.5Gi"), "probes": [probe("Readiness", "/", 8080)],
            },
            {"image": image("elb-terminal"), "name": "terminal", "resources": resources(0.25, "0.5Gi")},
        ],
        "initContainers": [
            {
                "image": image("elb-api"), "name": "migrate", "command": ["elb-migrate"],
                "env": [{"name": "DATABASE_URL", "secretRef": "database-url"}], "resources": resources(0.25, "0.5Gi"),
            },
        ],
        "scale": {"minReplicas": 1, "maxReplicas": 3},
        "volumes": [{"name": "data", "storageType": "EmptyDir"}],
    })
}
