//! POST /api/upgrade/plan: what a start would do, and whether it would be let. Changes nothing.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::judge::planned;
use super::wanted::{sha, version};
use super::{PIPELINE, UpgradeAdmin};
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::router::HttpState;
use crate::pipelines::upgrade::UpgradeInput;
use crate::pipelines::upgrade::rollout::Strategy;
use crate::pipelines::upgrade::rollout::plan::{Plan, Remark};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanUpgrade {
    target_version: String,
    target_sha: Option<String>,
    strategy: Option<Strategy>,
    #[serde(default)]
    allow_downgrade: bool,
    #[serde(default)]
    confirm_major: bool,
}

/// 200 with the plan; what a start would be refused for is in its `refusals`.
///
/// # Errors
/// 403 `not_an_admin`; 400 `invalid_version`, `invalid_sha` and those of the body; 404 `unknown_version`;
/// 422 `plan_impossible`; 503 `platform_unavailable`.
pub async fn plan(
    State(state): State<HttpState>,
    _: UpgradeAdmin,
    JsonBody(wanted): JsonBody<PlanUpgrade>,
) -> Result<Json<Plan>, ApiError> {
    let input = UpgradeInput {
        target_version: version(&wanted.target_version)?,
        target_sha: wanted.target_sha.map(sha).transpose()?,
        reason: None,
        strategy: wanted.strategy,
        plan_hash: None,
        allow_downgrade: wanted.allow_downgrade,
        confirm_major: wanted.confirm_major,
    };
    let mut plan = planned(&state, &input).await?;
    if let Err(error) = state.engine.check_open(PIPELINE) {
        let error = ApiError::from(error);
        plan.refusals.push(Remark { code: error.code(), message: error.message().to_owned() });
    }
    Ok(Json(plan))
}
