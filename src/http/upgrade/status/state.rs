//! What an upgrade or a rollback has come to, in the words of the dashboard.

use serde::{Serialize, Serializer};

use crate::engine::NOT_QUEUED;
use crate::http::status::told_progress;
use crate::http::upgrade::ROLLBACK;
use crate::model::{End, Progress, Run, Status, Verdict};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpgradeState {
    Idle,
    Queued,
    Fetching,
    Building,
    AwaitingApproval,
    Patching,
    RollingOut,
    Validating,
    Confirming,
    Succeeded,
    /// Failed or terminated before the platform itself was touched.
    FailedPre,
    /// Failed afterwards, and left as it is.
    FailedRollout,
    RollingBack,
    RolledBack,
    RollbackFailed,
}

impl UpgradeState {
    pub fn of(run: &Run) -> Self {
        match &run.progress {
            // A start that could not be queued leaves everything as it was.
            Progress::Ended { .. } if run.failure.as_ref().is_some_and(|f| f.code == NOT_QUEUED) => Self::Idle,
            Progress::Ended { end, .. } => Self::of_end(run, *end),
            _ if run.pipeline == ROLLBACK => Self::RollingBack,
            _ if run.status() == Status::Pending => Self::Queued,
            _ => Self::of_phase(&run.phase),
        }
    }

    fn of_end(run: &Run, end: End) -> Self {
        let (completed, back) = (matches!(end, End::Completed(_)), run.fallback.is_some());
        match end {
            End::Completed(Verdict::Succeeded) if run.pipeline == ROLLBACK => Self::RolledBack,
            _ if run.pipeline == ROLLBACK => Self::RollbackFailed,
            End::Completed(Verdict::Succeeded) => Self::Succeeded,
            _ if back && completed => Self::RolledBack,
            _ if back => Self::RollbackFailed,
            _ if has_changed_the_app(run) => Self::FailedRollout,
            _ => Self::FailedPre,
        }
    }

    fn of_phase(phase: &str) -> Self {
        match phase {
            "fetching" => Self::Fetching,
            "approving" => Self::AwaitingApproval,
            "patching" => Self::Patching,
            "rolling-out" => Self::RollingOut,
            "validating" => Self::Validating,
            "confirming" => Self::Confirming,
            "rolling-back" => Self::RollingBack,
            _ => Self::Building,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Fetching => "fetching",
            Self::Building => "building",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Patching => "patching",
            Self::RollingOut => "rolling_out",
            Self::Validating => "validating",
            Self::Confirming => "confirming",
            Self::Succeeded => "succeeded",
            Self::FailedPre => "failed_pre",
            Self::FailedRollout => "failed_rollout",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::RollbackFailed => "rollback_failed",
        }
    }

    /// What the run tells, within the bounds of its state.
    pub fn percent(self, run: &Run) -> u64 {
        let told = told_progress(&run.state);
        let within = |least, most| told.unwrap_or_default().clamp(least, most);
        match self {
            Self::Idle => 0,
            Self::Queued => 1,
            Self::Fetching => within(10, 29),
            Self::Building => within(30, 70),
            Self::AwaitingApproval => 75,
            Self::Patching => within(80, 90),
            Self::RollingOut => 95,
            Self::Validating => 96,
            Self::Confirming => within(97, 99),
            Self::RollingBack => within(1, 99),
            Self::Succeeded | Self::RolledBack => 100,
            Self::FailedPre | Self::FailedRollout | Self::RollbackFailed => told.unwrap_or(1),
        }
    }
}

/// What a retry goes on for has, whatever became of the retry itself.
fn has_changed_the_app(run: &Run) -> bool {
    let remembers = |what: &str| run.state.pointer(what).is_some_and(|value| !value.is_null());
    match UpgradeState::of_phase(&run.phase) {
        _ if remembers("/keeps_snapshot_of") => true,
        UpgradeState::RollingOut => remembers("/rollout/change/sent_at"),
        at => matches!(at, UpgradeState::Validating | UpgradeState::Confirming | UpgradeState::RollingBack),
    }
}

impl Serialize for UpgradeState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
