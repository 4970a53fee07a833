//! What can be done with revisions: list, get, activate, deactivate, restart.
//!
//! Recorded: the three actions answer 200 with a bare JSON string, at once, though their effect takes its time.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::ailment::Ailment;
use super::revision::Revision;
use super::timeline::Apps;
use super::{images, revision_view};
use crate::dev::azure::arm_error::ArmError;
use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;

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
    let missing_image = {
        let revision = found(sim, &mut world.apps, name)?;
        let images = images::of(&revision.template);
        images.into_iter().find(|image| images::problem(sim, &world.registry, image).is_some())
    };
    let app = world.apps.app.as_mut().ok_or_else(|| super::missing(sim))?;
    let (single, newest) = (app.is_single(), app.latest().is_some_and(|latest| latest.name.eq_ignore_ascii_case(name)));
    let weight = app.existing().find(|it| it.name.eq_ignore_ascii_case(name)).map_or(0, |it| app.weight(it));
    let revision = found(sim, &mut world.apps, name)?;
    let refused = |code, why: &str| Err(ArmError::bad_request(code, format!("Revision '{name}' {why}")));
    let pulls = match (action, revision.active) {
        ("activate", false) if single && !newest => {
            return refused("RevisionActivationNotAllowed", "cannot be activated in Single revisions mode.");
        }
        ("activate", false) => {
            revision.activate(now);
            true
        }
        ("deactivate", true) if weight > 0 => {
            return refused("RevisionInUse", "takes traffic and cannot be deactivated.");
        }
        ("deactivate", true) => {
            revision.deactivate(now);
            false
        }
        ("restart", true) => {
            revision.restart(now);
            true
        }
        ("restart", false) => return refused("RevisionNotActive", "is not active and cannot be restarted."),
        _ => false,
    };
    if pulls {
        revision.ailments.retain(|ailment| !matches!(ailment, Ailment::PullFails { .. }));
        revision.ailments.extend(missing_image.map(|image| Ailment::PullFails { image }));
    }
    world.apps.begin(now);
    let said = match action {
        "activate" => "Activate succeeded",
        "deactivate" => "Deactivate succeeded",
        _ => "Restart succeeded",
    };
    Ok(Json(said).into_response())
}
