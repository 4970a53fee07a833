//! POST /api/upgrade/jobs/{job_id}/retry: another run goes on where this upgrade failed, and keeps what was finished.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::told::{accepted, job};
use super::{PIPELINE, ROLLBACK, UpgradeAdmin, not_started};
use crate::engine::RetryError;
use crate::http::error::ApiError;
use crate::http::idempotency::idempotency_key;
use crate::http::params::Segments;
use crate::http::router::HttpState;
use crate::model::Run;

/// 202 with the job that goes on. Asking again gives the same one, unless the header `Idempotency-Key` names another
/// request.
///
/// # Errors
/// 403 `not_an_admin`; 404 `unknown_job`; 400 `invalid_idempotency_key`; 409 `run_not_ended`, `nothing_to_retry`,
/// `not_resumable`, `superseded`, `upgrade_in_flight`, `run_in_flight`, `idempotency_key_reused`, `pipeline_disabled`;
/// 503 `not_queued`.
pub async fn retry(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    headers: HeaderMap,
    segments: Segments,
) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?;
    let run = job(&state, &segments).await?;
    refuse_if_undone(&state, &run).await?;
    match state.engine.retry(&run.id, &caller.oid, key).await {
        Ok(started) => Ok(accepted(&started.run)),
        Err(RetryError::Start(error)) => Err(not_started(&state, error).await),
        Err(error) => Err(error.into()),
    }
}

/// An upgrade after which somebody has rolled back is not gone on with. The engine looks at later upgrades itself.
///
/// # Errors
/// 409 `superseded`.
pub async fn refuse_if_undone(state: &HttpState, run: &Run) -> Result<(), ApiError> {
    if run.pipeline != PIPELINE {
        return Ok(());
    }
    match state.engine.latest_of(&run.scope, &[ROLLBACK]).await? {
        // Ids count time downwards.
        Some(later) if later.id < run.id => Err(RetryError::Superseded(later.id).into()),
        _ => Ok(()),
    }
}
