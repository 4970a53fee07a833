//! The parts of a status that tell of the rollout: what goes where, who has to agree, how the new revision does.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::UpgradeState;
use crate::model::{Progress, Run, Timestamp, Wake};
use crate::pipelines::upgrade::rollout::{Approval, Return, Rollout, Validation, Verdict};

/// Of a run that goes back, the revision that takes over again.
#[derive(Serialize)]
pub struct RolloutView {
    revision: String,
    from_revision: Option<String>,
    /// By container.
    images: BTreeMap<String, String>,
    waiting_for: Option<String>,
}

#[derive(Serialize)]
pub struct ApprovalView {
    plan_hash: String,
    until: Timestamp,
    seconds_left: u64,
    approved_by: Option<String>,
}

#[derive(Serialize)]
pub struct ValidationView {
    verdict: Option<Verdict>,
    asked: u32,
    good: u32,
    last_answer: Option<String>,
    decide_until: Option<Timestamp>,
}

impl RolloutView {
    pub fn of(run: &Run) -> Option<Self> {
        let waiting_for = match &run.progress {
            Progress::Ready { wake: Wake::Waiting { reason }, .. } => Some(reason.clone()),
            _ => None,
        };
        let rollout: Option<Rollout> = remembered(run, "rollout");
        let back: Option<Return> = remembered(run, "rollback");
        Some(match (rollout, back) {
            (rollout, Some(back)) => Self {
                from_revision: rollout.map(|rollout| rollout.revision),
                revision: back.revision,
                images: back.images,
                waiting_for,
            },
            (Some(rollout), None) => Self {
                revision: rollout.revision,
                from_revision: Some(rollout.from_revision),
                images: rollout.images,
                waiting_for,
            },
            (None, None) => return None,
        })
    }
}

impl ApprovalView {
    /// Only while it is waited for.
    pub fn of(run: &Run, now: Timestamp) -> Option<Self> {
        if UpgradeState::of(run) != UpgradeState::AwaitingApproval {
            return None;
        }
        let Approval { plan_hash, until, approved_by, .. } = remembered(run, "approval")?;
        Some(Self { plan_hash, until, seconds_left: until.since(now).as_secs(), approved_by })
    }
}

impl ValidationView {
    pub fn of(run: &Run) -> Option<Self> {
        let rollout: Rollout = remembered(run, "rollout")?;
        let Validation { verdict, asked, good, last_answer, decide_until, .. } = rollout.validation?;
        Some(Self { verdict, asked, good, last_answer, decide_until })
    }
}

/// A part of the run's state; none if it is of another form than expected.
pub fn remembered<T: DeserializeOwned>(run: &Run, field: &str) -> Option<T> {
    run.state.get(field).and_then(|value| T::deserialize(value).ok())
}
