//! POST /api/upgrade/start.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::judge::judge;
use super::status::UpgradeState;
use super::wanted::{sha, version};
use super::{BOTH, PIPELINE, RETRY_AFTER, STATUS_PATH, UpgradeAdmin, in_flight, not_started, platform};
use crate::engine::ports::StoreError;
use crate::engine::{StartError, StartRequest};
use crate::http::answer;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::idempotency::idempotency_key_or;
use crate::http::params::reason;
use crate::http::router::HttpState;
use crate::model::{Run, RunId, Timestamp};
use crate::pipelines::upgrade::UpgradeInput;
use crate::pipelines::upgrade::rollout::Strategy;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartUpgrade {
    target_version: String,
    target_sha: Option<String>,
    /// Anything but `true` is a no.
    #[serde(default)]
    confirm_downtime: Value,
    reason: Option<String>,
    strategy: Option<Strategy>,
    /// The plan that the caller has seen.
    plan_hash: Option<String>,
    #[serde(default)]
    allow_downgrade: bool,
    #[serde(default)]
    confirm_major: bool,
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct Started {
    job_id: RunId,
    state: UpgradeState,
    target_version: String,
    target_sha: Option<String>,
    progress: u64,
    started_by: String,
    created_at: Timestamp,
    #[serde(rename = "statusQueryGetUri")]
    status_query_get_uri: &'static str,
    #[serde(rename = "terminatePostUri")]
    terminate_post_uri: String,
}

/// 202 with the queued state, and the same run again for the same key, whatever has become of the world since.
///
/// # Errors
/// 403 `not_an_admin`; 400 `invalid_version`, `invalid_sha`, `reason_too_long` and those of the body and the key;
/// 422 `downtime_not_confirmed`, `plan_impossible`; 404 `unknown_version`; 409 `upgrade_in_flight`, `run_in_flight`,
/// `idempotency_key_reused`, `plan_outdated`, and why the plan is refused: `downgrade_refused`, `major_not_confirmed`,
/// `sha_mismatch`, `nothing_to_roll_out`, `app_in_multiple_revision_mode`, `app_in_single_revision_mode`;
/// 409 `pipeline_disabled`;
/// 503 `platform_unavailable`, and `not_queued`, after which the upgrade is idle again.
pub async fn start(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    headers: HeaderMap,
    JsonBody(wanted): JsonBody<StartUpgrade>,
) -> Result<Response, ApiError> {
    let version = version(&wanted.target_version)?;
    let sha = wanted.target_sha.map(sha).transpose()?;
    if wanted.confirm_downtime != Value::Bool(true) {
        return Err(ApiError::unprocessable(
            "downtime_not_confirmed",
            "The platform is down while it is upgraded. Send `confirm_downtime`: true to agree.",
        ));
    }
    let input = UpgradeInput {
        target_version: version,
        target_sha: sha,
        reason: wanted.reason.map(|text| reason(&text)).transpose()?,
        strategy: wanted.strategy,
        plan_hash: wanted.plan_hash,
        allow_downgrade: wanted.allow_downgrade,
        confirm_major: wanted.confirm_major,
    };
    let request = StartRequest {
        pipeline: PIPELINE,
        scope: platform(),
        input: serde_json::to_value(&input).map_err(|error| ApiError::internal(error.to_string()))?,
        started_by: caller.oid,
        idempotency_key: idempotency_key_or(&headers, wanted.idempotency_key)?,
    };
    if let Some(started) = state.engine.started(&request).await? {
        return Ok(answered(started.run, input));
    }
    refuse_beside_another(&state).await?;
    state.engine.check_open(PIPELINE)?;
    judge(&state, &input).await?;
    match state.engine.start(request).await {
        Ok(started) => Ok(answered(started.run, input)),
        Err(error) => Err(not_started(&state, error).await),
    }
}

/// A run in flight, also one of which no more can be read than that it holds the platform.
async fn refuse_beside_another(state: &HttpState) -> Result<(), ApiError> {
    match state.engine.latest_of(&platform(), &BOTH).await {
        Ok(Some(run)) if !run.is_ended() => Err(in_flight(&run)),
        Ok(_) => Ok(()),
        Err(StoreError::Unreadable(row)) => match state.engine.owner(&platform()).await? {
            Some(owner) => Err(not_started(state, StartError::Busy { scope: platform(), owner }).await),
            None => Err(StoreError::Unreadable(row).into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn answered(run: Run, input: UpgradeInput) -> Response {
    let at = UpgradeState::of(&run);
    let started = Started {
        progress: at.percent(&run),
        state: at,
        target_version: input.target_version,
        target_sha: input.target_sha,
        started_by: run.started_by,
        created_at: run.created_at,
        status_query_get_uri: STATUS_PATH,
        terminate_post_uri: format!("/api/runs/{}/terminate", run.id),
        job_id: run.id,
    };
    answer::accepted(STATUS_PATH, RETRY_AFTER, started)
}
