//! What can be done with revisions: list, get, activate, deactivate, restart.
//!
//! Recorded: the three actions answer 200 with a bare JSON string, at once, though their effect takes its time.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::app::ContainerApp;
use super::revision::Revision;
use super::timeline::Apps;
use super::{images, revision_view};
use crate::dev::azure::arm_error::ArmError;
use crate::dev::azure::request::Received;
use crate::dev::azure::world::{Sim, World};

/// The size of a page; the service's own is not known.
const PAGE: usize = 10;

pub(super) fn found<'a>(sim: &Sim, apps: &'a mut Apps, name: &str) -> Result<&'a mut Revision, ArmError> {
    let app = apps.app.as_mut().ok_or_else(|| super::missing(sim))?;
    app.revision(name).ok_or_else(|| {
        let app = &sim.options.container_app;
        ArmError::not_found("RevisionNotFound", format!("Revision '{name}' was not found in container app '{app}'."))
    })
}

/// In the order of their making.
pub(super) fn list(sim: &Sim, request: &Received) -> Result<Response, ArmError> {
    let active_only = match request
        .query("$filter")
        .map(|filter| filter.split_whitespace().collect::<Vec<_>>().join(" "))
    {
        None => false,
        Some(filter) if filter.eq_ignore_ascii_case("properties/active eq true") => true,
        Some(filter) => {
            return Err(ArmError::bad_request("InvalidFilter", format!("The $filter '{filter}' is not supported.")));
        }
    };
    let skip = request.query("$skipToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let mut world = sim.world();
    world.look_at_app(sim);
    let app = world.apps.app.as_ref().ok_or_else(|| super::missing(sim))?;
    let mut wanted = app.existing().filter(|revision| revision.active || !active_only).skip(skip);
    let page: Vec<Value> = wanted.by_ref().take(PAGE).map(|revision| revision_view::full(sim, app, revision)).collect();
    let next = wanted.next().map(|_| {
        let query = request.raw_query().split("&$skipToken").next().unwrap_or_default();
        format!("{}{}?{query}&$skipToken={}", sim.base, request.path(), skip + PAGE)
    });
    Ok(Json(json!({"value": page, "nextLink": next})).into_response())
}

pub(super) fn get(sim: &Sim, name: &str) -> Result<Response, ArmError> {
    let mut world = sim.world();
    world.look_at_app(sim);
    found(sim, &mut world.apps, name)?;
    let app = world.apps.app.as_ref().ok_or_else(|| super::missing(sim))?;
    let revision = app.existing().find(|revision| revision.name.eq_ignore_ascii_case(name));
    Ok(Json(revision.map(|revision| revision_view::full(sim, app, revision))).into_response())
}

pub(super) fn act(sim: &Sim, name: &str, action: &str) -> Result<Response, ArmError> {
    let now = sim.clock.now();
    let mut world = sim.world();
    world.look_at_app(sim);
    let World { apps, registry, .. } = &mut *world;
    let images = images::of(&found(sim, apps, name)?.template);
    let missing = images.into_iter().find(|image| images::problem(sim, registry, image).is_some());
    let app = apps.app.as_ref().ok_or_else(|| super::missing(sim))?;
    refuse(app, name, action)?;
    let revision = found(sim, apps, name)?;
    let said = match action {
        "activate" => {
            revision.activate(now, missing);
            "Activate succeeded"
        }
        "deactivate" => {
            revision.deactivate(now);
            "Deactivate succeeded"
        }
        _ => {
            revision.restart(now, missing);
            "Restart succeeded"
        }
    };
    apps.begin(now);
    Ok(Json(said).into_response())
}

/// What is an error or pointless, and told as an error here.
fn refuse(app: &ContainerApp, name: &str, action: &str) -> Result<(), ArmError> {
    let is_it = |revision: &&Revision| revision.name.eq_ignore_ascii_case(name);
    let Some(revision) = app.existing().find(is_it) else { return Ok(()) };
    let newest = app.latest().is_some_and(|latest| is_it(&latest));
    let (code, why) = match action {
        "activate" if app.is_single() && !newest && !revision.active => {
            ("RevisionActivationNotAllowed", "cannot be activated in Single revisions mode")
        }
        "deactivate" if app.weight(revision) > 0 => ("RevisionInUse", "takes traffic and cannot be deactivated"),
        "restart" if !revision.active => ("RevisionNotActive", "is not active and cannot be restarted"),
        _ => return Ok(()),
    };
    Err(ArmError::bad_request(code, format!("Revision '{name}' {why}.")))
}
