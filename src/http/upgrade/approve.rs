//! POST /api/upgrade/jobs/{job_id}/approve: another admin agrees to the plan that an upgrade waits with.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::UpgradeAdmin;
use super::judge::outdated;
use super::status::{UpgradeState, remembered};
use super::told::{accepted, expect_going, job};
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::Segments;
use crate::http::router::HttpState;
use crate::pipelines::upgrade::UpgradeState as Remembered;
use crate::pipelines::upgrade::rollout::{Approval, ApprovalSignal, approving};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// As the status shows it.
    plan_hash: String,
}

/// 202; a second approval changes nothing.
///
/// # Errors
/// 403 `not_an_admin`, `approval_by_starter`; 404 `unknown_job`; 410 `run_ended`; 409 `not_awaiting_approval`,
/// `plan_outdated`; 400 those of the body.
pub async fn approve(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    segments: Segments,
    JsonBody(wanted): JsonBody<Agreement>,
) -> Result<Response, ApiError> {
    let run = job(&state, &segments).await?;
    expect_going(&run)?;
    let at = UpgradeState::of(&run);
    let asked: Option<Approval> = remembered(&run, "approval").filter(|_| at == UpgradeState::AwaitingApproval);
    let Some(asked) = asked else {
        let message = format!(
            "Upgrade {} is {}: there is no plan to agree to at the moment. GET /api/upgrade/status shows `approval` while \
             one waits.",
            run.id,
            at.name()
        );
        return Err(ApiError::conflict("not_awaiting_approval", message));
    };
    let known: Remembered = serde_json::from_value(run.state.clone()).unwrap_or_default();
    if known.was_started_by(&caller.oid, &run.started_by) {
        return Err(ApiError::forbidden(
            "approval_by_starter",
            "Whoever started an upgrade, or one that it goes on for, cannot approve it. Ask another admin.",
        ));
    }
    if wanted.plan_hash != asked.plan_hash {
        return Err(outdated());
    }
    let given = run.signals.get(approving::SIGNAL).and_then(|told| serde_json::from_value(told.clone()).ok());
    if given.is_some_and(|given: ApprovalSignal| given.plan_hash == asked.plan_hash) {
        return Ok(accepted(&run));
    }
    let signal = ApprovalSignal { by: caller.oid, plan_hash: wanted.plan_hash, at: state.engine.now() };
    let signal = serde_json::to_value(&signal).map_err(|error| ApiError::internal(error.to_string()))?;
    let run = state.engine.signal(&run.id, approving::SIGNAL, signal).await?;
    Ok(accepted(&run))
}
