//! ContainerApps_Update and ContainerApps_Delete: a change is merged, checked as a whole, and begun.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::ailment::Ailment;
use super::app::{ContainerApp, is_single};
use super::merge::{bare, merge};
use super::operation::{self, Operation, Problem, Work};
use super::revision::Revision;
use super::{images, secrets, suffix, template, traffic, view};
use crate::dev::azure::arm;
use crate::dev::azure::arm_error::ArmError;
use crate::dev::azure::dataplane::Registry;
use crate::dev::azure::faults::{RevisionEffect, met_by_revision};
use crate::dev::azure::registry::{LOCATION, LOCATION_SHOWN};
use crate::dev::azure::request::Received;
use crate::dev::azure::world::{Sim, World};

/// What callers may change; the rest of a body is told and not listened to.
const CHANGEABLE: [&str; 3] = ["configuration", "template", "workloadProfileName"];

pub(super) fn patch(sim: &Sim, request: &Received, claims: &Value, version: &str) -> Result<Response, ArmError> {
    let change = arm::parsed(request)?;
    if !change.is_object() {
        return Err(ArmError::bad_request("InvalidRequestContent", "The request content is not an object."));
    }
    let now = sim.clock.now();
    let mut world = sim.world();
    world.look_at_app(sim);
    let World { apps, registry, rng, .. } = &mut *world;
    let busy = apps.is_busy();
    let app = apps.app.as_mut().ok_or_else(|| super::missing(sim))?;
    if busy {
        return Err(in_progress(sim));
    }
    place(sim, &change)?;
    let body = merged(sim, app, &change)?;
    let wanted = &body["properties"]["template"];
    template::check(wanted)?;
    secrets::check(&body["properties"]["configuration"], wanted)?;
    let same = bare(wanted) == bare(app.template()) || only_unnamed(app.template(), wanted);
    let revision = if same && app.state != "Failed" {
        None
    } else {
        let name = suffix::name(&sim.options.container_app, wanted["revisionSuffix"].as_str(), &app.revisions, rng)?;
        Some(name)
    };
    let single = is_single(&body["properties"]["configuration"]);
    let active = app.existing().filter(|it| it.active).map(|it| it.name.clone());
    let active: Vec<String> = active.chain(revision.clone()).collect();
    traffic::check(&body["properties"]["configuration"]["ingress"]["traffic"], (!single).then_some(&active))?;
    app.body = body;
    app.state = "InProgress";
    app.changed_by = arm::changed_by(claims, now);
    let work = match revision {
        None => Work::Configure,
        Some(name) => {
            let (ailments, problem) = prospects(sim, app, registry, &name);
            app.revisions.push(Revision::new(name.clone(), app.template().clone(), ailments, now));
            Work::Revise { revision: name, problem }
        }
    };
    apps.begin(now);
    let id = Uuid::new_v4().to_string();
    apps.operations.push(Operation::new(id.clone(), work, now));
    Ok(operation::accepted(sim, &id, version))
}

pub(super) fn delete(sim: &Sim, version: &str) -> Result<Response, ArmError> {
    let now = sim.clock.now();
    let mut world = sim.world();
    world.look_at_app(sim);
    let apps = &mut world.apps;
    let busy = apps.is_busy();
    let Some(app) = &mut apps.app else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    if busy {
        return Err(in_progress(sim));
    }
    app.state = "Deleting";
    apps.begin(now);
    let id = Uuid::new_v4().to_string();
    apps.operations.push(Operation::new(id.clone(), Work::Delete, now));
    Ok(operation::accepted(sim, &id, version))
}

fn in_progress(sim: &Sim) -> ArmError {
    ArmError::operation_in_progress(&sim.options.container_app)
}

/// Where the app is cannot be changed; the name of the place is compared as people write it.
fn place(sim: &Sim, change: &Value) -> Result<(), ArmError> {
    let plain = |text: &str| text.to_lowercase().replace(' ', "");
    match &change["location"] {
        Value::Null => {}
        Value::String(location) if plain(location) == LOCATION => {}
        other => {
            let message = format!(
                "The resource '{}' already exists in location '{LOCATION}' in resource group '{}'. A resource with the same name cannot be created in location '{}'. Please select a new resource name.",
                sim.options.container_app,
                sim.options.resource_group,
                other.as_str().unwrap_or_default()
            );
            return Err(ArmError::new(StatusCode::CONFLICT, "InvalidResourceLocation", message));
        }
    }
    for name in ["environmentId", "managedEnvironmentId"] {
        let asked = &change["properties"][name];
        if asked.as_str().is_some_and(|asked| !asked.eq_ignore_ascii_case(&view::environment(sim))) {
            let message = "The environment of a container app cannot be changed.";
            return Err(ArmError::bad_request("ManagedEnvironmentCannotBeChanged", message));
        }
    }
    Ok(())
}

fn merged(sim: &Sim, app: &ContainerApp, change: &Value) -> Result<Value, ArmError> {
    let mut body = app.body.clone();
    merge(&mut body, change);
    let properties = CHANGEABLE.map(|name| (name.to_owned(), body["properties"][name].clone()));
    let properties: serde_json::Map<_, _> = properties.into_iter().filter(|(_, value)| !value.is_null()).collect();
    let mode = &body["properties"]["configuration"]["activeRevisionsMode"];
    let known = ["single", "multiple"];
    if !mode.is_null() && !mode.as_str().is_some_and(|mode| known.contains(&mode.to_lowercase().as_str())) {
        let message =
            format!("The value {mode} of activeRevisionsMode of '{}' is not known.", sim.options.container_app);
        return Err(ArmError::bad_request("InvalidRequestContent", message));
    }
    Ok(json!({
        "location": LOCATION_SHOWN, "tags": body["tags"], "identity": body["identity"], "properties": properties,
    }))
}

/// To take the suffix away changes nothing that runs.
fn only_unnamed(stored: &Value, wanted: &Value) -> bool {
    let mut stored = stored.clone();
    let suffix = wanted["revisionSuffix"].as_str().unwrap_or_default();
    if let Some(stored) = stored.as_object_mut() {
        stored.remove("revisionSuffix");
    }
    suffix.is_empty() && bare(&stored) == bare(wanted)
}

/// What will become of a revision of the app's template.
fn prospects(sim: &Sim, app: &ContainerApp, registry: &Registry, name: &str) -> (Vec<Ailment>, Option<Problem>) {
    let wanted = images::of(app.template());
    let met = met_by_revision(&mut sim.faults(), name, &wanted);
    let login = sim.login_server();
    let pulls =
        app.configuration()["registries"].as_array().is_some_and(|all| all.iter().any(|it| it["server"] == login));
    let refused = met.iter().find(|(effect, _)| *effect == RevisionEffect::ImageRefused);
    let is_refused = |image: &str| {
        let struck = refused.is_some_and(|(_, part)| {
            image.contains(part.as_str()) || !wanted.iter().any(|it| it.contains(part.as_str()))
        });
        struck || (!pulls && image.starts_with(&format!("{login}/")))
    };
    let text = wanted.iter().find_map(|image| {
        let details = if is_refused(image) {
            Some(images::unauthorized(image, login))
        } else {
            images::problem(sim, registry, image)
        };
        details.map(|details| template::invalid(&field(app.template(), image), &details))
    });
    let mut ailments: Vec<Ailment> = met.iter().filter_map(|(effect, part)| Ailment::of(effect, part)).collect();
    let problem = text.map(|refusal| {
        let message = format!(
            "Failed to provision revision for container app '{}'. Error details: {}",
            sim.options.container_app, refusal.message
        );
        ailments.push(Ailment::Refused { problem: message.clone() });
        Problem { code: refusal.code, message }
    });
    (ailments, problem)
}

/// `containers.<name>.image`, of the first container with this image.
fn field(template: &Value, image: &str) -> String {
    for kind in ["containers", "initContainers"] {
        for container in template[kind].as_array().into_iter().flatten() {
            if container["image"] == image {
                return format!("{kind}.{}.image", container["name"].as_str().unwrap_or_default());
            }
        }
    }
    "containers".to_owned()
}
