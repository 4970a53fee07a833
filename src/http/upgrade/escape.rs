//! GET /api/upgrade/escape-hatch: the way back by hand, for when Windlass itself is no help.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::UpgradeAdmin;
use super::going_back::{Kept, kept, unreadable};
use crate::http::error::ApiError;
use crate::http::router::HttpState;
use crate::model::RunId;
use crate::pipelines::upgrade::rollout::escape;
use crate::pipelines::upgrade::rollout::snapshot::SnapshotImage;

/// To be pasted into a shell where `az` is signed in.
#[derive(Serialize)]
pub struct EscapeHatch {
    container_app: String,
    subscription_id: String,
    resource_group: String,
    /// The upgrade that would be undone.
    job_id: RunId,
    /// What served before it.
    revision: String,
    version: Option<String>,
    /// By container.
    images: BTreeMap<String, SnapshotImage>,
    commands: Vec<String>,
    at_once: String,
}

/// 200 with the commands, for as long as there is a snapshot, whether or not a call may still go back to it.
///
/// # Errors
/// 403 `not_an_admin`; 404 `no_snapshot`; 409 `snapshot_unreadable`.
pub async fn escape_hatch(State(state): State<HttpState>, _: UpgradeAdmin) -> Result<Json<EscapeHatch>, ApiError> {
    let snapshot = match kept(&state).await? {
        Kept::Snapshot(snapshot) => snapshot,
        Kept::Nothing => {
            return Err(ApiError::not_found(
                "no_snapshot",
                "No upgrade has changed the platform yet, so there is nothing to go back to.",
            ));
        }
        Kept::Unreadable(why) => return Err(ApiError::conflict("snapshot_unreadable", unreadable(&why))),
    };
    Ok(Json(EscapeHatch {
        commands: escape::commands(&snapshot),
        at_once: escape::at_once(&snapshot),
        container_app: snapshot.app,
        subscription_id: snapshot.subscription_id,
        resource_group: snapshot.resource_group,
        job_id: snapshot.job_id,
        revision: snapshot.revision,
        version: snapshot.version,
        images: snapshot.images,
    }))
}
