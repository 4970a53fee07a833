//! POST /api/upgrade/jobs/{job_id}/verdict: a person decides what the validation could not.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::UpgradeAdmin;
use super::status::{UpgradeState, remembered};
use super::told::{accepted, expect_going, job};
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::{Segments, reason};
use crate::http::router::HttpState;
use crate::pipelines::upgrade::rollout::{Rollout, Verdict, WordSignal, validating};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    verdict: Word,
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// The new revision gets the traffic.
    Successful,
    /// The old one keeps it.
    Failed,
}

/// 202
///
/// # Errors
/// 403 `not_an_admin`; 404 `unknown_job`; 410 `run_ended`; 409 `no_verdict_wanted`; 400 `reason_too_long` and those of
/// the body.
pub async fn verdict(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    segments: Segments,
    JsonBody(wanted): JsonBody<Decision>,
) -> Result<Response, ApiError> {
    let reason = reason(&wanted.reason)?;
    let run = job(&state, &segments).await?;
    expect_going(&run)?;
    let at = UpgradeState::of(&run);
    let validation = remembered::<Rollout>(&run, "rollout").and_then(|rollout| rollout.validation);
    let open = validation.is_some_and(|validation| validation.verdict == Some(Verdict::Inconclusive));
    if at != UpgradeState::Validating || !open {
        let message = format!(
            "Upgrade {} is {}, and no person's verdict is wanted. It is while the status has `validation.verdict`: \
             inconclusive.",
            run.id,
            at.name()
        );
        return Err(ApiError::conflict("no_verdict_wanted", message));
    }
    let go = wanted.verdict == Word::Successful;
    let signal = WordSignal { by: caller.oid, reason, go, key: None, at: state.engine.now() };
    let signal = serde_json::to_value(&signal).map_err(|error| ApiError::internal(error.to_string()))?;
    let run = state.engine.signal(&run.id, validating::SIGNAL, signal).await?;
    Ok(accepted(&run))
}
