//! What an upgrade is asked for and what it remembers. The names of the fields are read by `http/`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rollout::{Approval, Return, Rollout, Strategy};
use crate::model::{RunId, Timestamp};

/// Checked by `http/` before the run starts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UpgradeInput {
    /// Without the leading `v`.
    pub target_version: String,
    /// The commit that the tag must point to, or the beginning of its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_sha: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// None: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// The plan that the starter has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_downgrade: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm_major: bool,
}

/// What a rollback by call is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RollbackInput {
    /// The upgrade whose snapshot is gone back to.
    pub job_id: RunId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl UpgradeInput {
    /// The git tag and the tag of the images.
    pub fn tag(&self) -> String {
        format!("v{}", self.target_version)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpgradeState {
    /// The commit that is being built, in hex.
    pub commit: Option<String>,
    /// In percent of the whole upgrade.
    pub progress: u8,
    /// Where the builder has each context.
    pub sources: BTreeMap<String, String>,
    pub uploaded_at: Option<Timestamp>,
    pub builds: BTreeMap<String, Build>,
    pub approval: Option<Approval>,
    pub rollout: Option<Rollout>,
    pub rollback: Option<Return>,
    /// Of a retry of a rollout that was not undone: the upgrade whose snapshot stays the way back.
    pub keeps_snapshot_of: Option<RunId>,
    /// Of a retry of a rollout that changed the app: the plan that the start named was for another app.
    pub replans: bool,
    /// Of a retry: who started the upgrades that it goes on for.
    pub starters: Vec<String>,
}

impl UpgradeState {
    /// Whether `who` has started this run, which `starter` has, or one that it goes on for.
    pub fn was_started_by(&self, who: &str, starter: &str) -> bool {
        self.starters.iter().map(String::as_str).chain([starter]).any(|known| known.eq_ignore_ascii_case(who))
    }
}

/// One component's build.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Build {
    /// `<repository>:<tag>`
    pub image: String,
    /// Of a build that a retry keeps: the upgrade that it was built by, which has its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_by: Option<RunId>,
    /// Path of the Dockerfile in its context.
    pub dockerfile: String,
    /// The directory of the repository that it builds from.
    pub context: String,
    pub status: BuildStatus,
    /// The builder's id.
    #[serde(default)]
    pub run_id: Option<String>,
    #[serde(default)]
    pub digest: Option<String>,
    /// The builder's reason for a failure.
    #[serde(default)]
    pub error: Option<String>,
    /// Bytes of the builder's output that are in our log.
    #[serde(default)]
    pub log_bytes: u64,
    /// Whether our log has all of the output.
    #[serde(default)]
    pub log_complete: bool,
    /// When the output last brought something new, or the build was first seen to have ended.
    #[serde(default)]
    pub heard_at: Option<Timestamp>,
    /// Looks since the build's end that brought nothing of its log.
    #[serde(default)]
    pub misses: u32,
    /// The step that the output last told of, and how many there are.
    #[serde(default)]
    pub step: Option<(u32, u32)>,
    /// The last lines of output, for a failure's message.
    #[serde(default)]
    pub last_lines: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    Waiting,
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl Build {
    pub fn waiting(image: String, dockerfile: String, context: String) -> Self {
        Self {
            image,
            built_by: None,
            dockerfile,
            context,
            status: BuildStatus::Waiting,
            run_id: None,
            digest: None,
            error: None,
            log_bytes: 0,
            log_complete: false,
            heard_at: None,
            misses: 0,
            step: None,
            last_lines: Vec::new(),
        }
    }

    /// The same build, from its beginning.
    pub fn reset(&self) -> Self {
        Self::waiting(self.image.clone(), self.dockerfile.clone(), self.context.clone())
    }
}

impl BuildStatus {
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}
