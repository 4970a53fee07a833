//! Whether an upgrade may be started as it is asked for, as far as the world outside tells.

use std::time::Duration;

use tokio::time::timeout;

use super::going_back::kept;
use crate::engine::PhaseError;
use crate::http::error::ApiError;
use crate::http::router::HttpState;
use crate::pipelines::upgrade::rollout::Strategy;
use crate::pipelines::upgrade::rollout::plan::{Asked, Plan, Remark};
use crate::pipelines::upgrade::rollout::snapshot::Snapshot;
use crate::pipelines::upgrade::{Upgrade, UpgradeInput};

/// Callers wait for what is read outside, and those on the way to them cut much later.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(5);

/// What a start would do. 503 while somebody outside does not answer.
pub async fn planned(state: &HttpState, input: &UpgradeInput) -> Result<Plan, ApiError> {
    let (upgrade, kept) = (&state.upgrade.platform, kept(state).await?);
    let asked = upgrade.asked(input).map_err(told)?;
    in_time(upgrade.plan(&asked, kept.snapshot())).await.map_err(told)
}

/// Refuses what would do harm. Where git or the registry does not answer, the phases will tell, unless the caller relies
/// on a plan. Without the app's version nobody could tell a downgrade.
pub async fn judge(state: &HttpState, input: &UpgradeInput) -> Result<(), ApiError> {
    let upgrade = &state.upgrade.platform;
    let asked = upgrade.asked(input).map_err(told)?;
    if asked.strategy == Strategy::BuildOnly && input.plan_hash.is_none() {
        return Ok(());
    }
    let kept = kept(state).await?;
    match in_time(upgrade.plan(&asked, kept.snapshot())).await {
        Ok(plan) => {
            refuse(plan.refusals)?;
            match &input.plan_hash {
                Some(hash) if *hash != plan.plan_hash => Err(outdated()),
                _ => Ok(()),
            }
        }
        Err(error) if input.plan_hash.is_some() => Err(told(error)),
        Err(_) => judge_direction(upgrade, &asked, kept.snapshot()).await,
    }
}

/// A platform without an app or a repository is told by the first phase.
async fn judge_direction(upgrade: &Upgrade, asked: &Asked, snapshot: Option<&Snapshot>) -> Result<(), ApiError> {
    if !upgrade.apps.is_configured() || upgrade.source.address().is_none() {
        return Ok(());
    }
    refuse(in_time(upgrade.objections(asked, snapshot)).await.map_err(told)?)
}

async fn in_time<T>(reading: impl Future<Output = Result<T, PhaseError>>) -> Result<T, PhaseError> {
    match timeout(PATIENCE, reading).await {
        Ok(answer) => answer,
        Err(_) => Err(PhaseError::retryable("outside_too_slow", "what is outside takes too long to answer")),
    }
}

fn refuse(remarks: Vec<Remark>) -> Result<(), ApiError> {
    remarks.into_iter().next().map_or(Ok(()), |remark| Err(refusal(remark)))
}

fn refusal(remark: Remark) -> ApiError {
    let message = format!("Refused: {}.", remark.message);
    match remark.code {
        "sha_mismatch" => ApiError::conflict("sha_mismatch", message),
        "app_in_multiple_revision_mode" => ApiError::conflict("app_in_multiple_revision_mode", message),
        "app_in_single_revision_mode" => ApiError::conflict("app_in_single_revision_mode", message),
        "nothing_to_roll_out" => ApiError::conflict("nothing_to_roll_out", message),
        "downgrade_refused" => ApiError::conflict("downgrade_refused", message),
        "major_not_confirmed" => ApiError::conflict("major_not_confirmed", message),
        "version_unknown" => ApiError::conflict("version_unknown", message),
        code => ApiError::conflict("plan_refused", format!("{message} ({code})")),
    }
}

pub fn outdated() -> ApiError {
    ApiError::conflict(
        "plan_outdated",
        "The app or the version is not what the plan was made for. Ask for a new plan (POST /api/upgrade/plan), look at \
         it, and send its hash.",
    )
}

/// Why a plan cannot be made.
fn told(error: PhaseError) -> ApiError {
    match error {
        PhaseError::Retryable { failure, after } => ApiError::unavailable(
            "platform_unavailable",
            format!("What is outside cannot be read at the moment ({failure}). Try again."),
            after.unwrap_or(PAUSE),
        ),
        PhaseError::Fatal(failure) if is_missing(&failure.code) => {
            ApiError::not_found("unknown_version", format!("There is no such version: {}.", failure.message))
        }
        PhaseError::Fatal(failure) => {
            ApiError::unprocessable("plan_impossible", format!("No plan can be made ({failure})."))
        }
        PhaseError::LeaseLost => ApiError::internal("a plan has no lease to lose"),
    }
}

fn is_missing(code: &str) -> bool {
    matches!(code, "git_tag_not_found" | "git_commit_not_found")
}
