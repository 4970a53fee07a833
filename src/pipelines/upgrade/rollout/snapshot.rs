//! What the platform was before an upgrade changed it: the document that every way back begins with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::Strategy;
use crate::engine::PhaseError;
use crate::engine::context::PhaseContext;
use crate::model::{RunId, Timestamp};

/// The name of the document in the platform's scope. There is one: that of the latest upgrade that may have changed it.
pub const SNAPSHOT: &str = "snapshot";

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The upgrade before whose change it was taken.
    pub job_id: RunId,
    pub taken_at: Timestamp,
    pub app: String,
    pub subscription_id: String,
    pub resource_group: String,
    /// The revision that served.
    pub revision: String,
    #[serde(default)]
    pub version: Option<String>,
    /// The whole template, without nulls and without its suffix.
    pub template: Value,
    pub images: BTreeMap<String, SnapshotImage>,
    pub strategy: Strategy,
    /// The weights of the app's revisions, as the app told them; of an app in multiple revision mode.
    #[serde(default)]
    pub traffic: Value,
    /// The revision that the upgrade makes, and its version.
    pub target_revision: String,
    pub target_version: String,
    /// Until when a call may go back to it.
    pub available_until: Timestamp,
    #[serde(default)]
    pub rolled_back_at: Option<Timestamp>,
    /// The one that this one took the place of; it is given back if the upgrade ends without having changed anything.
    #[serde(default)]
    pub former: Option<Box<Snapshot>>,
}

/// The image of one container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotImage {
    pub image: String,
    /// What its name stood for; none where the registry is not the platform's own.
    #[serde(default)]
    pub digest: Option<String>,
}

impl Snapshot {
    /// The one that a way back begins with.
    pub async fn of(ctx: &PhaseContext) -> Result<Self, PhaseError> {
        const ADVICE: &str = "put the app back by hand: az containerapp revision list shows the revision that served before, \
                              az containerapp revision copy --from-revision <it> makes it the newest again";
        match ctx.document(SNAPSHOT).await {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => {
                let message = format!("what the platform was is not known: there is no snapshot; {ADVICE}");
                Err(PhaseError::fatal("snapshot_missing", message))
            }
            Err(PhaseError::Fatal(failure)) => {
                let message = format!("what the platform was is not known: {}; {ADVICE}", failure.message);
                Err(PhaseError::fatal("snapshot_missing", message))
            }
            Err(passing) => Err(passing),
        }
    }

    /// Undoes that an upgrade has taken its snapshot.
    pub async fn give_back(ctx: &mut PhaseContext) -> Result<(), PhaseError> {
        let Some(snapshot) = ctx.document::<Self>(SNAPSHOT).await? else { return Ok(()) };
        if snapshot.job_id != ctx.run().id {
            return Ok(());
        }
        match snapshot.former {
            Some(former) => ctx.set_document(SNAPSHOT, &former),
            None => ctx.remove_document(SNAPSHOT),
        }
    }

    /// Whether a call may still go back to it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.rolled_back_at.is_none() && now < self.available_until
    }
}
