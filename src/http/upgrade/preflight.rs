//! GET /api/upgrade/rollback-preflight: whether a rollback by call would find what it needs. Changes nothing.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::timeout;

use super::going_back::{Obstacle, Way, kept, way};
use super::{ROLLBACK, UpgradeAdmin, latest};
use crate::engine::StartError;
use crate::http::error::ApiError;
use crate::http::router::HttpState;
use crate::model::{Run, RunId, Timestamp};
use crate::pipelines::upgrade::Upgrade;
use crate::pipelines::upgrade::rollout::preflight::{self, ImageReport};
use crate::pipelines::upgrade::rollout::snapshot::Snapshot;
use crate::pipelines::upgrade::rollout::{Strategy, rolling_back};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize)]
pub struct Preflight {
    available: bool,
    /// Why not.
    reason: Option<String>,
    /// The upgrade that would be undone.
    job_id: Option<RunId>,
    to_version: Option<String>,
    revision: Option<String>,
    available_until: Option<Timestamp>,
    /// None where nothing runs out.
    seconds_left: Option<u64>,
    images: Vec<ImageReport>,
}

/// 200 whatever is found; trouble outside is told in it.
///
/// # Errors
/// 403 `not_an_admin`.
pub async fn rollback_preflight(State(state): State<HttpState>, _: UpgradeAdmin) -> Result<Json<Preflight>, ApiError> {
    let (latest, kept, now) = (latest(&state).await?, kept(&state).await?, state.engine.now());
    let snapshot = kept.snapshot();
    let (images, trouble) = match snapshot {
        Some(snapshot) => looked(&state.upgrade.platform, snapshot).await,
        None => (Vec::new(), None),
    };
    let told = |open: Result<(), StartError>| open.err().map(|error| ApiError::from(error).message().to_owned());
    let closed = told(state.engine.check_open(ROLLBACK));
    let unreachable = |run: &Run| told(state.engine.check_reachable(run, rolling_back::NAME));
    let reason = match way(latest.as_ref(), &kept, now) {
        // An upgrade that has not stored what was cannot be told to go back.
        Ok(Way::Tell(_)) if snapshot.is_none() => Some(Obstacle::Nothing.message()),
        Ok(Way::Tell(_)) => latest.as_ref().and_then(unreachable).or(trouble),
        Ok(Way::Start(_)) => closed.or(trouble),
        Err(obstacle) => Some(obstacle.message()),
    };
    let until = snapshot.map(|snapshot| snapshot.available_until);
    let left = until.filter(|_| reason.is_none()).map(|until| until.since(now).as_secs());
    Ok(Json(Preflight {
        available: reason.is_none(),
        reason,
        job_id: snapshot.map(|snapshot| snapshot.job_id.clone()),
        to_version: snapshot.and_then(|snapshot| snapshot.version.clone()),
        revision: snapshot.map(|snapshot| snapshot.revision.clone()),
        available_until: until,
        seconds_left: left,
        images,
    }))
}

async fn looked(upgrade: &Upgrade, snapshot: &Snapshot) -> (Vec<ImageReport>, Option<String>) {
    let look = async {
        let images = preflight::report(upgrade, snapshot).await;
        let trouble = match images.iter().find(|image| image.exists == Some(false)) {
            Some(gone) => Some(lost(&gone.container, &gone.image)),
            None => images.iter().find_map(|image| image.error.as_ref()).map(|error| unclear(error)),
        };
        let trouble = match trouble {
            Some(trouble) => Some(trouble),
            None => match preflight::missing_revision(upgrade, snapshot).await {
                Ok(false) => None,
                Ok(true) => Some(lost_revision(&snapshot.revision)),
                Err(error) => Some(unclear(&error.to_string())),
            },
        };
        (images, trouble)
    };
    match timeout(PATIENCE, look).await {
        Ok(found) => found,
        Err(_) => (Vec::new(), Some(unclear("it takes too long to answer"))),
    }
}

/// What is known to be missing, for a rollback that would fail by it. Trouble that may pass is no obstacle.
pub async fn refuse_if_lost(upgrade: &Upgrade, snapshot: &Snapshot) -> Result<(), ApiError> {
    let look = async {
        // Traffic that goes back to a revision pulls nothing.
        if snapshot.strategy != Strategy::BlueGreen {
            let images = preflight::report(upgrade, snapshot).await;
            let gone = images.iter().find(|image| image.exists == Some(false));
            return gone.map(|gone| lost(&gone.container, &gone.image));
        }
        let missing = preflight::missing_revision(upgrade, snapshot).await.unwrap_or_default();
        missing.then(|| lost_revision(&snapshot.revision))
    };
    match timeout(PATIENCE, look).await.ok().flatten() {
        Some(lost) => Err(ApiError::conflict("rollback_images_missing", lost)),
        None => Ok(()),
    }
}

fn lost(container: &str, image: &str) -> String {
    format!(
        "The registry no longer has {image}, which container {container} ran. Build that version again (an upgrade with \
         strategy build_only), then roll back."
    )
}

fn lost_revision(revision: &str) -> String {
    format!(
        "The app no longer keeps revision {revision}, so traffic cannot go back to it. Start an upgrade to its version with \
         allow_downgrade, or go back by hand: GET /api/upgrade/escape-hatch."
    )
}

fn unclear(error: &str) -> String {
    format!("Whether everything is still there cannot be told at the moment ({error}). Try again.")
}
