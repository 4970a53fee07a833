//! The upgrade of the platform and the way back, in the dialect of the dashboard that calls it.
//!
//! Whoever is known may see how it stands and what was; everything else is for admins.
//!
//! | file | what |
//! |---|---|
//! | `status/` | how it stands |
//! | `history.rs` | what was |
//! | `wanted.rs`, `plan.rs`, `judge.rs`, `start.rs` | what is asked for, what it would do, whether it may, doing it |
//! | `going_back.rs`, `rollback.rs`, `preflight.rs`, `escape.rs` | whether there is a way back, going it, trying it, by hand |
//! | `told.rs`, `approve.rs`, `verdict.rs`, `retry.rs` | what a job is told |
//! | `log.rs`, `range.rs` | what builds say |

mod approve;
mod discovery;
mod escape;
mod going_back;
mod history;
mod judge;
mod log;
mod plan;
mod preflight;
mod range;
mod retry;
mod rollback;
mod start;
mod status;
mod told;
mod verdict;
mod wanted;

pub use approve::approve;
pub use discovery::{candidates, check, settings};
pub use escape::escape_hatch;
pub use history::history;
pub use log::build_log;
pub use plan::plan;
pub use preflight::rollback_preflight;
pub use retry::{refuse_if_undone, retry};
pub use rollback::rollback;
pub use start::start;
pub use status::status;
pub use verdict::verdict;

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::auth::Caller;
use super::error::ApiError;
use super::router::HttpState;
use crate::engine::StartError;
use crate::engine::ports::StoreError;
use crate::model::{Run, RunId, Scope};
use crate::pipelines::upgrade;
use status::UpgradeState;

/// The pipeline that upgrades.
const PIPELINE: &str = upgrade::SPEC.name;
/// The pipeline that goes back by call.
const ROLLBACK: &str = upgrade::ROLLBACK.name;
const BOTH: [&str; 2] = [PIPELINE, ROLLBACK];
/// The pipeline that tidies up after them.
const RETENTION: &str = upgrade::retention::SPEC.name;

/// Seconds after which to ask how it goes on.
const RETRY_AFTER: u32 = 2;
const STATUS_PATH: &str = "/api/upgrade/status";
/// How long others usually hold the scope.
const OTHERS: Duration = Duration::from_secs(10);
/// How soon retention lets it go once it is to stop.
const TIDYING: Duration = Duration::from_secs(5);

/// What an upgrade changes.
fn platform() -> Scope {
    upgrade::scope()
}

/// The path of a component's build log.
fn log_path(job: &RunId, component: &str) -> String {
    format!("/api/upgrade/jobs/{job}/build-log/{component}")
}

/// The newest upgrade or rollback; none if that one could not be queued.
async fn latest(state: &HttpState) -> Result<Option<Run>, ApiError> {
    let latest = state.engine.latest_of(&platform(), &BOTH).await?;
    Ok(latest.filter(|run| UpgradeState::of(run) != UpgradeState::Idle))
}

fn unknown_job() -> ApiError {
    ApiError::not_found(
        "unknown_job",
        "There is no such upgrade. GET /api/runs?pipeline=upgrade lists those there are.",
    )
}

/// Why a run was not started.
async fn not_started(state: &HttpState, error: StartError) -> ApiError {
    let StartError::Busy { owner, .. } = &error else { return error.into() };
    match state.engine.run(owner).await {
        Ok(Some(run)) if BOTH.contains(&run.pipeline.as_str()) => in_flight(&run),
        Ok(Some(run)) if run.pipeline == RETENTION => tidying(&run),
        Ok(_) | Err(StoreError::Unreadable(_)) => ApiError::from(error).with_retry_after(OTHERS),
        Err(error) => error.into(),
    }
}

fn tidying(run: &Run) -> ApiError {
    let message = match &run.cancel {
        Some(_) => format!("Retention {} is stopping to make room. Send the same again in a moment.", run.id),
        None => format!(
            "Retention {0} is tidying up old images. Send the same again in a moment, or terminate it at \
             /api/runs/{0}/terminate: the next one goes on where it stopped.",
            run.id
        ),
    };
    ApiError::conflict("run_in_flight", message).with_retry_after(TIDYING)
}

fn in_flight(run: &Run) -> ApiError {
    let id = &run.id;
    let message = match run.pipeline.as_str() {
        ROLLBACK => format!("Rollback {id} is in flight. Wait for its end."),
        _ => format!("Upgrade {id} is in flight. Wait for its end, or terminate it at /api/runs/{id}/terminate."),
    };
    ApiError::conflict("upgrade_in_flight", message)
}

/// A caller who may upgrade: by the role UpgradeAdmin or by UPGRADE_ADMIN_OIDS. Anybody else gets 403 `not_an_admin`.
pub struct UpgradeAdmin(pub Caller);

impl FromRequestParts<HttpState> for UpgradeAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if state.upgrade.is_admin(&caller) {
            return Ok(Self(caller));
        }
        Err(ApiError::forbidden(
            "not_an_admin",
            "This is for admins of the upgrade: ask for the role UpgradeAdmin, or for your object id to be added to the \
             setting UPGRADE_ADMIN_OIDS.",
        ))
    }
}
