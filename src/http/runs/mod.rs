//! All runs of all pipelines, in the dialect of Durable Functions.
//!
//! Any caller who is known may read. A run's input is for upgrade admins, and so are terminating and rewinding, whatever
//! the pipeline, as long as no finer rule exists.

mod list;
mod rewind;
mod view;

pub use list::list;
pub use rewind::rewind;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::answer;
use super::auth::Caller;
use super::conditional::{Known, Tag, poll};
use super::error::ApiError;
use super::params::{Misfit, Params, Segments, reason};
use super::refusal::unknown_run;
use super::router::HttpState;
use super::status::disabled;
use super::upgrade::UpgradeAdmin;
use crate::model::{Run, RunId, Status};
use view::{History, RunView};

const RETRY_AFTER: u32 = 2;

/// A run; `None` also if it is one of another pipeline than the named one.
pub async fn find(state: &HttpState, id: &RunId, pipeline: Option<&str>) -> Result<Option<Run>, ApiError> {
    let run = state.engine.run(id).await?;
    Ok(run.filter(|run| pipeline.is_none_or(|pipeline| run.pipeline == pipeline)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Terminating {
    instance_id: RunId,
    runtime_status: Status,
}

/// GET /api/runs/{id}: 202 with Location and Retry-After until it has ended, then 200. `?wait=` and If-None-Match as
/// for every status; `?showInput=false` and `?showHistory=false` leave those out.
///
/// # Errors
/// 404 `unknown_run`, 400 `invalid_wait` and `invalid_flag`.
pub async fn get(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
    segments: Segments,
) -> Result<Response, ApiError> {
    let (wait, known) = (params.wait()?, Known::of(&headers));
    let admin = state.upgrade.is_admin(&caller);
    let with_input = flag(&params, "showInput")? && admin;
    let with_history = flag(&params, "showHistory")?;
    let id = segments.run("id").ok_or_else(unknown_run)?;
    let form = format!("run {admin} {with_input} {with_history}");
    let tag = |run: &Run| Tag::of(&form, Some(run)).with(&disabled(&state.engine, run));
    let read = async || find(&state, &id, None).await?.ok_or_else(unknown_run);
    let run = poll(wait, read, |run| known.is_answered(&tag(run), run.is_ended())).await?;
    let tag = tag(&run);
    if known.has(&tag) {
        return Ok(answer::not_modified(&tag));
    }
    let mut view = RunView::of(&state.engine, &run, with_input);
    if with_history {
        view.history = Some(History::of(&run, state.engine.history(&id).await?));
    }
    if !admin {
        view.conceal();
    }
    if run.is_ended() {
        return Ok(answer::tagged(&tag, view));
    }
    Ok(answer::with_tag(&tag, answer::accepted(&format!("/api/runs/{id}"), RETRY_AFTER, view)))
}

/// POST /api/runs/{id}/terminate?reason=: 202, and the run ends as Terminated as soon as its phase has cleaned up.
/// Asking again changes nothing.
///
/// # Errors
/// 403 `not_an_admin`, 404 `unknown_run`, 409 `run_falling_back`, 410 `run_ended`, 400 `reason_too_long`.
pub async fn terminate(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    params: Params,
    segments: Segments,
) -> Result<Response, ApiError> {
    let reason = reason(&params.text("reason").unwrap_or_default())?;
    let id = segments.run("id").ok_or_else(unknown_run)?;
    let run = state.engine.cancel(&id, &caller.oid, &reason).await?;
    let terminating = Terminating { instance_id: id, runtime_status: run.status() };
    Ok(answer::accepted(&format!("/api/runs/{}", run.id), RETRY_AFTER, terminating))
}

/// On unless switched off.
fn flag(params: &Params, name: &str) -> Result<bool, ApiError> {
    match params.flag(name) {
        Ok(given) => Ok(given.unwrap_or(true)),
        Err(Misfit) => Err(ApiError::bad_request("invalid_flag", format!("Give {name} as true or false."))),
    }
}
