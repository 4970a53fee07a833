//! POST /api/upgrade/rollback: the platform becomes what it was before the newest upgrade that changed it.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::going_back::{Way, kept, way};
use super::preflight::refuse_if_lost;
use super::status::UpgradeState;
use super::{RETENTION, RETRY_AFTER, ROLLBACK, STATUS_PATH, UpgradeAdmin, latest, not_started, platform};
use crate::engine::{StartError, StartRequest, TellError};
use crate::http::answer;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::idempotency::idempotency_key_or;
use crate::http::params::reason;
use crate::http::router::HttpState;
use crate::model::{Run, RunId};
use crate::pipelines::upgrade::RollbackInput;
use crate::pipelines::upgrade::rollout::snapshot::Snapshot;
use crate::pipelines::upgrade::rollout::{WordSignal, rolling_back};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoBack {
    reason: String,
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct GoingBack {
    /// The upgrade that was told to go back, or the rollback.
    job_id: RunId,
    kind: String,
    state: UpgradeState,
    goes_back: bool,
    to_version: Option<String>,
    #[serde(rename = "statusQueryGetUri")]
    status_query_get_uri: &'static str,
}

/// 202. An upgrade that is rolling out is told to go back; after its end a run of its own does it.
///
/// Retention that holds the platform is stopped: the same request finds the platform free after `Retry-After`.
///
/// # Errors
/// 403 `not_an_admin`; 400 `reason_too_long` and those of the body and the key; 409 `nothing_to_roll_back`,
/// `rollback_not_allowed`, `rollback_expired`, `rollback_images_missing`, `snapshot_unreadable`, `upgrade_in_flight`,
/// `run_in_flight`, `idempotency_key_reused`, `pipeline_disabled`; 503 `not_queued`.
pub async fn rollback(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    headers: HeaderMap,
    JsonBody(wanted): JsonBody<GoBack>,
) -> Result<Response, ApiError> {
    let reason = reason(&wanted.reason)?;
    let key = idempotency_key_or(&headers, wanted.idempotency_key)?;
    // An upgrade may come to its end just before it is told to go back; then it is gone back from by a run.
    for _ in 0..2 {
        let (latest, kept) = (latest(&state).await?, kept(&state).await?);
        let (snapshot, now) = (kept.snapshot(), state.engine.now());
        let told = latest.as_ref().and_then(|run| Some((run, word_of(run)?)));
        if let Some((run, word)) = told.as_ref().filter(|(_, word)| key.is_some() && word.key == key) {
            let same = word.by == caller.oid && word.reason == reason;
            return if same { Ok(answered(run, snapshot)) } else { Err(StartError::KeyReused(run.id.clone()).into()) };
        }
        let request = snapshot.map(|snapshot| request(snapshot, &reason, &caller.oid, key.clone())).transpose()?;
        if let Some(request) = &request
            && let Some(started) = state.engine.started(request).await?
        {
            return Ok(answered(&started.run, snapshot));
        }
        match (way(latest.as_ref(), &kept, now)?, request) {
            (Way::Tell(id), _) => {
                if let Some((run, _)) = told {
                    // The first word stands, and so does its key.
                    return Ok(answered(run, snapshot));
                }
                if let Some(run) = &latest {
                    state.engine.check_reachable(run, rolling_back::NAME)?;
                }
                let (by, reason, key) = (caller.oid.clone(), reason.clone(), key.clone());
                let word = WordSignal { by, reason, go: false, key, at: now };
                let word = serde_json::to_value(&word).map_err(|error| ApiError::internal(error.to_string()))?;
                match state.engine.signal(id, rolling_back::SIGNAL, word).await {
                    Ok(run) => return Ok(answered(&run, snapshot)),
                    Err(TellError::Ended) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            (Way::Start(snapshot), Some(request)) => {
                state.engine.check_open(ROLLBACK)?;
                refuse_if_lost(&state.upgrade.platform, snapshot).await?;
                return match state.engine.start(request).await {
                    Ok(started) => Ok(answered(&started.run, Some(snapshot))),
                    Err(error) => Err(in_the_way(&state, error, &caller.oid).await),
                };
            }
            (Way::Start(_), None) => return Err(ApiError::internal("a way back without a snapshot")),
        }
    }
    Err(ApiError::internal("the upgrade ended twice"))
}

fn request(snapshot: &Snapshot, reason: &str, by: &str, key: Option<String>) -> Result<StartRequest, ApiError> {
    let reason = (!reason.is_empty()).then(|| reason.to_owned());
    let input = RollbackInput { job_id: snapshot.job_id.clone(), reason };
    Ok(StartRequest {
        pipeline: ROLLBACK,
        scope: platform(),
        input: serde_json::to_value(&input).map_err(|error| ApiError::internal(error.to_string()))?,
        started_by: by.to_owned(),
        idempotency_key: key,
    })
}

/// Why the rollback was not started. Who tidies up makes room for it.
async fn in_the_way(state: &HttpState, error: StartError, by: &str) -> ApiError {
    if let StartError::Busy { owner, .. } = &error
        && let Ok(Some(run)) = state.engine.run(owner).await
        && run.pipeline == RETENTION
        && let Err(TellError::Store(error)) = state.engine.cancel(owner, by, "a rollback has to begin").await
    {
        return error.into();
    }
    not_started(state, error).await
}

/// What the run was told, if it was told to go back.
fn word_of(run: &Run) -> Option<WordSignal> {
    serde_json::from_value(run.signals.get(rolling_back::SIGNAL)?.clone()).ok()
}

fn answered(run: &Run, snapshot: Option<&Snapshot>) -> Response {
    let going = GoingBack {
        job_id: run.id.clone(),
        kind: run.pipeline.clone(),
        state: UpgradeState::of(run),
        goes_back: true,
        to_version: snapshot.and_then(|snapshot| snapshot.version.clone()),
        status_query_get_uri: STATUS_PATH,
    };
    answer::accepted(STATUS_PATH, RETRY_AFTER, going)
}
