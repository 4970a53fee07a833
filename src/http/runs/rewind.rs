//! POST /api/runs/{id}/rewind: going on where a run failed.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::{RETRY_AFTER, find};
use crate::http::answer;
use crate::http::error::ApiError;
use crate::http::idempotency::idempotency_key;
use crate::http::params::Segments;
use crate::http::refusal::unknown_run;
use crate::http::router::HttpState;
use crate::http::upgrade::{UpgradeAdmin, refuse_if_undone};
use crate::model::{RunId, Status};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rewinding {
    /// Of the run that goes on: the one that ended stays as it is.
    instance_id: RunId,
    runtime_status: Status,
    retry_of: RunId,
}

/// 202 with the id of another run, which begins in the phase where this one ended and keeps what was finished. Asking
/// again gives the same run, unless the header `Idempotency-Key` names another request.
///
/// # Errors
/// 403 `not_an_admin`, 404 `unknown_run`, 400 `invalid_idempotency_key`; 409 `run_not_ended`, `nothing_to_retry`,
/// `not_resumable`, `superseded`, `run_in_flight`, `idempotency_key_reused`, `pipeline_disabled`; 503 `not_queued`.
pub async fn rewind(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    headers: HeaderMap,
    segments: Segments,
) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?;
    let id = segments.run("id").ok_or_else(unknown_run)?;
    let ended = find(&state, &id, None).await?.ok_or_else(unknown_run)?;
    refuse_if_undone(&state, &ended).await?;
    let run = state.engine.retry(&id, &caller.oid, key).await?.run;
    let location = format!("/api/runs/{}", run.id);
    let rewinding = Rewinding { runtime_status: run.status(), instance_id: run.id, retry_of: id };
    Ok(answer::accepted(&location, RETRY_AFTER, rewinding))
}
