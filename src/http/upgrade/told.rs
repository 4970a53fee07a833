//! What jobs are told by people, and the answer to it.

use axum::response::Response;
use serde::Serialize;

use super::status::UpgradeState;
use super::{PIPELINE, RETRY_AFTER, STATUS_PATH, unknown_job};
use crate::http::error::ApiError;
use crate::http::params::Segments;
use crate::http::router::HttpState;
use crate::http::{answer, runs};
use crate::model::{Run, RunId};

#[derive(Serialize)]
struct Told {
    job_id: RunId,
    state: UpgradeState,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_of: Option<RunId>,
    #[serde(rename = "statusQueryGetUri")]
    status_query_get_uri: &'static str,
}

/// The upgrade that the path names.
///
/// # Errors
/// 404 `unknown_job`.
pub async fn job(state: &HttpState, segments: &Segments) -> Result<Run, ApiError> {
    let id = segments.run("job_id").ok_or_else(unknown_job)?;
    runs::find(state, &id, Some(PIPELINE)).await?.ok_or_else(unknown_job)
}

/// # Errors
/// 410 `run_ended`.
pub fn expect_going(run: &Run) -> Result<(), ApiError> {
    if run.is_ended() {
        return Err(crate::engine::TellError::Ended.into());
    }
    Ok(())
}

/// 202 with the state of the job.
pub fn accepted(run: &Run) -> Response {
    let told = Told {
        job_id: run.id.clone(),
        state: UpgradeState::of(run),
        retry_of: run.retry_of.clone(),
        status_query_get_uri: STATUS_PATH,
    };
    answer::accepted(STATUS_PATH, RETRY_AFTER, told)
}
