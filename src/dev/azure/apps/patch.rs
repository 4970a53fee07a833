//! ContainerApps_Update and ContainerApps_Delete: a change is merged, checked as a whole, and begun.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::app::{ContainerApp, is_single};
use super::merge::{bare, merge};
use super::operation::{self, Operation, Work};
use super::prospects::prospects;
use super::revision::Revision;
use super::{secrets, suffix, template, traffic, view};
use crate::dev::azure::arm;
use crate::dev::azure::arm_error::ArmError;
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
    let revision = match makes_a_revision(app, &change, wanted) {
        false => None,
        true => Some(suffix::name(&sim.options.container_app, wanted["revisionSuffix"].as_str(), &app.revisions, rng)?),
    };
    if !change["properties"]["configuration"].is_null() {
        check_traffic(app, &body["properties"]["configuration"], revision.clone())?;
    }
    app.body = body;
    app.state = "InProgress";
    app.changed_by = arm::changed_by(claims, now);
    let work = match revision {
        None => Work::Configure,
        Some(name) => {
            let (ailments, problem) = prospects(sim, app, registry, &name);
            app.revisions.push(Revision::new(name, app.template().clone(), ailments, now));
            Work::Revise { problem }
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

/// A template that differs from the stored one does, and one that is sent again after it was refused.
fn makes_a_revision(app: &ContainerApp, change: &Value, wanted: &Value) -> bool {
    let refused = app.latest().is_some_and(Revision::is_refused) && !change["properties"]["template"].is_null();
    // To take the suffix away changes nothing that runs.
    let mut unnamed = app.template().clone();
    if let Some(unnamed) = unnamed.as_object_mut() {
        unnamed.remove("revisionSuffix");
    }
    let same = [app.template(), &unnamed].iter().any(|stored| bare(stored) == bare(wanted));
    refused || !same
}

/// In Single mode rules may name what they like.
fn check_traffic(app: &ContainerApp, configuration: &Value, revision: Option<String>) -> Result<(), ArmError> {
    let active = app.existing().filter(|it| it.active).map(|it| it.name.clone());
    let active: Vec<String> = active.chain(revision).collect();
    let known = (!is_single(configuration)).then_some(active.as_slice());
    traffic::check(&configuration["ingress"]["traffic"], known)
}
