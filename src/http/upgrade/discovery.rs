//! What there is to upgrade to: GET /api/upgrade/candidates, POST /api/upgrade/check, POST /api/upgrade/settings.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::UpgradeAdmin;
use crate::http::auth::Caller;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::router::HttpState;
use crate::model::Timestamp;
use crate::pipelines::upgrade::discovery::{self, Candidate, Channel, Checked};

/// The least time between two questions to the repository.
const MIN_AGE: Duration = Duration::from_secs(15);

#[derive(Serialize)]
pub struct Candidates {
    /// Whether there is a repository to upgrade from.
    configured: bool,
    /// Its host and path.
    remote: Option<String>,
    running_version: Option<String>,
    track_commits: bool,
    /// When the repository was asked for this list.
    checked_at: Option<Timestamp>,
    candidates: Vec<Candidate>,
    /// Why the list is not newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<CheckError>,
}

#[derive(Serialize)]
struct CheckError {
    code: String,
    message: String,
    at: Timestamp,
}

/// A body that may be left out, and has no fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    track_commits: bool,
}

/// 200 with what is known; the repository is asked only if it never was with success.
pub async fn candidates(State(state): State<HttpState>, _: Caller) -> Result<Json<Candidates>, ApiError> {
    if discovery::known(&state.engine).await?.checked_at.is_none() {
        // Whatever comes of it is to be seen in the list.
        discovery::check(&state.engine, &state.upgrade.platform, MIN_AGE).await?;
    }
    view(&state).await
}

/// 200 with the list, even where the repository could not be read: `error` says so.
///
/// # Errors
/// 429 `check_throttled` if it was asked less than 15 seconds ago, and those of the body.
pub async fn check(
    State(state): State<HttpState>,
    _: Caller,
    _: Option<JsonBody<Nothing>>,
) -> Result<Json<Candidates>, ApiError> {
    match discovery::check(&state.engine, &state.upgrade.platform, MIN_AGE).await? {
        Checked::Throttled { retry_after } => Err(ApiError::too_many(
            "check_throttled",
            "The repository was asked a moment ago. GET /api/upgrade/candidates has what it said.",
            retry_after,
        )),
        Checked::Unset | Checked::Read { .. } | Checked::Failed(_) => view(&state).await,
    }
}

/// 200 with the settings as they are now.
///
/// # Errors
/// 403 `not_an_admin`, and those of the body.
pub async fn settings(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    JsonBody(wanted): JsonBody<Settings>,
) -> Result<Json<Channel>, ApiError> {
    Ok(Json(discovery::set_channel(&state.engine, wanted.track_commits, &caller.oid).await?))
}

async fn view(state: &HttpState) -> Result<Json<Candidates>, ApiError> {
    let channel = discovery::channel(&state.engine).await?;
    let Some(remote) = state.upgrade.platform.source.address() else {
        return Ok(Json(Candidates {
            configured: false,
            remote: None,
            running_version: None,
            track_commits: channel.track_commits,
            checked_at: None,
            candidates: Vec::new(),
            error: None,
        }));
    };
    let known = discovery::known(&state.engine).await?;
    let running = state.upgrade.platform.running_version(&state.engine).await?;
    Ok(Json(Candidates {
        configured: true,
        remote: Some(remote),
        track_commits: channel.track_commits,
        checked_at: known.checked_at,
        candidates: discovery::candidates(&known, channel.track_commits, running.as_ref()),
        running_version: running.map(|version| version.to_string()),
        error: known.error.map(|error| CheckError {
            code: error.failure.code,
            message: error.failure.message,
            at: error.at,
        }),
    }))
}
