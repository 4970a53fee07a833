//! Whether the platform can be brought back to what it was, from the newest run and the snapshot alone.

use super::status::UpgradeState;
use super::{PIPELINE, platform};
use crate::engine::ports::StoreError;
use crate::http::error::ApiError;
use crate::http::router::HttpState;
use crate::model::{Run, RunId, Timestamp};
use crate::pipelines::upgrade::rollout::snapshot::{SNAPSHOT, Snapshot};

/// What is known of how the platform was.
pub enum Kept {
    Nothing,
    Snapshot(Box<Snapshot>),
    /// There is something, and it cannot be read.
    Unreadable(String),
}

/// How it is brought back.
pub enum Way<'a> {
    /// The upgrade that goes on is told to.
    Tell(&'a RunId),
    /// By a run of its own.
    Start(&'a Snapshot),
}

/// Why it cannot be.
pub enum Obstacle {
    Nothing,
    Unreadable(String),
    /// The run is at a point from which nobody goes back.
    Run(RunId, UpgradeState),
    Done(Timestamp),
    Expired(Timestamp),
}

/// What a storage that works cannot read is told of, not failed by.
pub async fn kept(state: &HttpState) -> Result<Kept, ApiError> {
    match state.engine.document::<Snapshot>(&platform(), SNAPSHOT).await {
        Ok(Some(snapshot)) => Ok(Kept::Snapshot(Box::new(snapshot))),
        Ok(None) => Ok(Kept::Nothing),
        Err(StoreError::Refused(why)) => Ok(Kept::Unreadable(why)),
        Err(StoreError::Unreadable(row)) => Ok(Kept::Unreadable(row.to_string())),
        Err(error) => Err(error.into()),
    }
}

impl Kept {
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Snapshot(snapshot) => Some(snapshot),
            Self::Nothing | Self::Unreadable(_) => None,
        }
    }
}

/// A snapshot stays good when later upgrades end before they touch the platform.
pub fn way<'a>(latest: Option<&'a Run>, kept: &'a Kept, now: Timestamp) -> Result<Way<'a>, Obstacle> {
    use UpgradeState::{Confirming, RollingOut, Validating};
    if let Some(run) = latest.filter(|run| !run.is_ended()) {
        let at = UpgradeState::of(run);
        let touched = matches!(at, RollingOut | Validating | Confirming);
        return if touched && run.pipeline == PIPELINE {
            Ok(Way::Tell(&run.id))
        } else {
            Err(Obstacle::Run(run.id.clone(), at))
        };
    }
    let snapshot = match kept {
        Kept::Snapshot(snapshot) => snapshot,
        Kept::Nothing => return Err(Obstacle::Nothing),
        Kept::Unreadable(why) => return Err(Obstacle::Unreadable(why.clone())),
    };
    match snapshot.rolled_back_at {
        Some(at) => Err(Obstacle::Done(at)),
        None if snapshot.is_open(now) => Ok(Way::Start(snapshot)),
        None => Err(Obstacle::Expired(snapshot.available_until)),
    }
}

impl Obstacle {
    pub fn message(&self) -> String {
        match self {
            Self::Nothing => "No upgrade has changed the platform yet, so there is nothing to go back to.".to_owned(),
            Self::Unreadable(why) => unreadable(why),
            Self::Run(id, UpgradeState::RollingBack) => {
                format!("Run {id} is rolling_back already. Wait for its end.")
            }
            Self::Run(id, at) => format!(
                "Upgrade {id} is {}: it has changed nothing of the platform itself. Terminate it instead, at \
                 /api/runs/{id}/terminate; what an upgrade before it has left can be undone afterwards.",
                at.name()
            ),
            Self::Done(at) => format!("The platform is rolled_back since {at}: there is nothing more to undo."),
            Self::Expired(until) => format!(
                "The time to go back was over at {until}. Start an upgrade to the older version with allow_downgrade, or \
                 go back by hand: GET /api/upgrade/escape-hatch has the commands."
            ),
        }
    }
}

impl From<Obstacle> for ApiError {
    fn from(obstacle: Obstacle) -> Self {
        let message = obstacle.message();
        match obstacle {
            Obstacle::Nothing => Self::conflict("nothing_to_roll_back", message),
            Obstacle::Unreadable(_) => Self::conflict("snapshot_unreadable", message),
            Obstacle::Run(..) | Obstacle::Done(_) => Self::conflict("rollback_not_allowed", message),
            Obstacle::Expired(_) => Self::conflict("rollback_expired", message),
        }
    }
}

/// The store's words name a document, and what is wrong with it.
pub fn unreadable(why: &str) -> String {
    format!(
        "What the platform was cannot be read ({why}). Go back by hand: az containerapp revision list shows the revision \
         that served before, az containerapp revision copy --from-revision <it> makes it the newest again."
    )
}
