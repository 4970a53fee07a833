//! What can be done with runs: Runs_Get, Runs_List, Runs_GetLogSasUrl, Runs_Cancel.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::arm_error::ArmError;
use super::filter::Filter;
use super::request::Received;
use super::world::Sim;
use super::{run_view, storage};

const PAGE: usize = 100;

fn unknown(run: &str) -> ArmError {
    ArmError::not_found("RunNotFound", format!("The run '{run}' was not found."))
}

pub(super) fn get(sim: &Sim, id: &str) -> Result<Response, ArmError> {
    let mut world = sim.world();
    let run = world.look_at(sim, id).ok_or_else(|| unknown(id))?;
    Ok(Json(run_view::full(sim, run)).into_response())
}

/// Newest first. `$top` bounds the list; without it there are pages.
pub(super) fn list(sim: &Sim, request: &Received) -> Result<Response, ArmError> {
    let number = |name: &str| match request.query(name) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| {
            ArmError::bad_request("InvalidQueryParameter", format!("The value of {name} is not a number."))
        }),
    };
    let top = number("$top")?;
    let skip = number("$skipToken")?.unwrap_or(0);
    let filter = request.query("$filter").filter(|text| !text.trim().is_empty());
    let filter = filter.map(|text| Filter::parse(&text)).transpose().map_err(|problem| {
        ArmError::bad_request("InvalidFilter", format!("The $filter is not supported: {problem}."))
    })?;
    let mut world = sim.world();
    let world = world.up_to_date(sim);
    let mut wanted = world.runs.iter().rev().filter(|run| filter.as_ref().is_none_or(|filter| filter.admits(run)));
    let page: Vec<_> =
        wanted.by_ref().skip(skip).take(top.unwrap_or(PAGE)).map(|run| run_view::full(sim, run)).collect();
    let mut body = json!({"value": page});
    if top.is_none() && wanted.next().is_some() {
        body["nextLink"] = json!(format!(
            "{}{}?{}&$skipToken={}",
            sim.base,
            request.path(),
            request.raw_query().split("&$skipToken").next().unwrap_or_default(),
            skip + PAGE
        ));
    }
    Ok(Json(body).into_response())
}

/// The link is there before the blob is.
pub(super) fn log_link(sim: &Sim, id: &str) -> Result<Response, ArmError> {
    let id = sim.world().run(id).map(|run| run.id.clone()).ok_or_else(|| unknown(id))?;
    let link = storage::link(sim, &format!("logs/{id}/rawtext.log"), "r", sim.clock.now());
    Ok(Json(json!({"logLink": link})).into_response())
}

/// Accepts a request to stop; the run's status tells whether it did.
pub(super) fn cancel(sim: &Sim, id: &str) -> Result<Response, ArmError> {
    let mut world = sim.world();
    let run = world.run(id).ok_or_else(|| unknown(id))?;
    if run.cancel() {
        return Ok(StatusCode::OK.into_response());
    }
    let message = format!("The run '{}' has ended with status {} and cannot be canceled.", run.id, run.status.name());
    Err(ArmError::new(StatusCode::CONFLICT, "RunNotCancelable", message))
}
