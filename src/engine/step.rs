//! What may be asked of a run, and why it may be refused.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{CancelRequest, Failure, LogExtents, Timestamp, Verdict};

/// What a worker has to save along with a step.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Work {
    pub state: Value,
    pub logs: BTreeMap<String, LogExtents>,
    pub documents: Changes,
}

/// What becomes of documents of the run's scope, by name; `None` removes one.
pub type Changes = BTreeMap<String, Option<Value>>;

#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// For the ticket of this `seq` alone.
    Claim {
        seq: u64,
        expires_at: Timestamp,
    },
    Renew {
        expires_at: Timestamp,
    },
    Checkpoint {
        work: Work,
    },
    Next {
        work: Work,
        phase: String,
        /// When the run will be over its budget.
        deadline_at: Timestamp,
    },
    Wait {
        work: Work,
        wake_at: Timestamp,
        reason: String,
    },
    Retry {
        work: Work,
        wake_at: Timestamp,
        failure: Failure,
    },
    Done {
        work: Work,
        verdict: Verdict,
        output: Value,
        /// Signals that the phase must have seen before the run may end.
        heeds: &'static [&'static str],
    },
    Fail {
        work: Work,
        failure: Failure,
        /// As for `Done`.
        heeds: &'static [&'static str],
    },
    Terminate {
        work: Work,
    },
    /// On to the phase that undoes the run's work, because of `cause`.
    FallBack {
        work: Work,
        phase: String,
        cause: Failure,
        /// When the run will be over its budget.
        deadline_at: Timestamp,
        /// As for `Done`.
        heeds: &'static [&'static str],
    },
    RequestCancel {
        request: CancelRequest,
    },
    /// Tells the run something that one of its phases waits for.
    Signal {
        name: String,
        value: Value,
    },
    /// Undoes a start whose first ticket could not be sent.
    Abort {
        failure: Failure,
    },
}

impl Step {
    /// The same way out, unless one of these signals is still to be seen.
    pub(super) fn heeding(mut self, names: &'static [&'static str]) -> Self {
        if let Self::Done { heeds, .. } | Self::Fail { heeds, .. } | Self::FallBack { heeds, .. } = &mut self {
            *heeds = names;
        }
        self
    }

    /// The changes to documents that go with the step; taken out of it, because they are no part of the run.
    pub(super) fn take_documents(&mut self) -> Changes {
        match self {
            Self::Checkpoint { work }
            | Self::Next { work, .. }
            | Self::Wait { work, .. }
            | Self::Retry { work, .. }
            | Self::Done { work, .. }
            | Self::Fail { work, .. }
            | Self::Terminate { work }
            | Self::FallBack { work, .. } => std::mem::take(&mut work.documents),
            Self::Claim { .. }
            | Self::Renew { .. }
            | Self::RequestCancel { .. }
            | Self::Signal { .. }
            | Self::Abort { .. } => Changes::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IllegalTransition {
    #[error("the run has ended")]
    Ended,
    #[error("the run has moved on since the ticket was sent")]
    Stale,
    #[error("another worker holds the run")]
    Held,
    #[error("the run is not held by this worker")]
    NotHeld,
    #[error("the run is to be cancelled")]
    Cancelled,
    #[error("cancellation was requested before")]
    AlreadyRequested,
    #[error("the run has begun")]
    Begun,
    #[error("the run is going back to what was before")]
    FallingBack,
}
