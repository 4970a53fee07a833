//! One execution of a pipeline, as its row holds it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Event, Failure, GENESIS, Receipt, RunId, Scope, Ticket, Timestamp, Traceparent, traceparent};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    pub scope: Scope,
    pub pipeline: String,
    /// The phase that runs now, or the last one that ran.
    pub phase: String,
    pub progress: Progress,
    /// Grows with every decision; a ticket of an older seq is stale.
    pub seq: u64,
    /// Tries of this phase that were recorded, from 1; 0 before the first claim.
    pub attempt: u32,
    /// Claims at this seq: more than one means that a worker died holding the lease.
    pub claims: u32,
    pub phase_entered_at: Timestamp,
    /// When the whole run is over its budget.
    pub deadline_at: Timestamp,
    pub input: Value,
    /// What the phases remember between deliveries.
    pub state: Value,
    pub output: Value,
    pub failure: Option<Failure>,
    /// Committed lengths of each log's segments, in bytes.
    pub logs: BTreeMap<String, LogExtents>,
    pub cancel: Option<CancelRequest>,
    /// Set once the run goes back to what was before.
    #[serde(default)]
    pub fallback: Option<Fallback>,
    /// What people or other systems told the run, by name.
    #[serde(default)]
    pub signals: BTreeMap<String, Value>,
    /// A signal came since the last claim, so the next wait must not be waited for.
    #[serde(default)]
    pub signalled: bool,
    /// The run that ended without success and that this one goes on for.
    #[serde(default)]
    pub retry_of: Option<RunId>,
    /// The span that started the run: all that is done for it belongs below.
    #[serde(default, deserialize_with = "traceparent::lenient", skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
    /// Who started the run, as the caller's identity names them.
    pub started_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// How many events the run has, and the hash of the last one.
    pub events: u64,
    pub last_hash: String,
    /// The hash that the first event follows: the last one of the scope's run before this one.
    #[serde(default = "genesis")]
    pub first_previous: String,
    /// What was done for the run, up to its last write and what that one entailed.
    #[serde(default)]
    pub receipt: Receipt,
    /// Names the last write, so that a writer whose reply was lost knows its own work again.
    pub operation: String,
}

fn genesis() -> String {
    GENESIS.to_owned()
}

/// Where a run stands between two writes. Only a leased run can be worked on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Progress {
    /// A ticket is on its way and may be worked on from `wake_at`.
    Ready { wake_at: Timestamp, wake: Wake },
    /// A worker holds the run until its lease expires.
    Leased { lease: Lease },
    /// Over for good.
    Ended { end: End, at: Timestamp },
}

/// Why a ticket is on its way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Wake {
    Started,
    Entered,
    Waiting { reason: String },
    Retrying { code: String },
    Signalled,
    Cancelling,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lease {
    pub owner: String,
    pub expires_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "end", content = "verdict", rename_all = "snake_case")]
pub enum End {
    /// The pipeline came to its end; the verdict tells whether the work succeeded.
    Completed(Verdict),
    /// The pipeline could not come to its end.
    Failed,
    /// Stopped on request.
    Terminated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Succeeded,
    Failed,
}

/// The coarse state that every dashboard knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CancelRequest {
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
}

/// A run that could not go on, and undoes what it did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Fallback {
    /// The phase that could not go on.
    pub from: String,
    pub cause: Failure,
    pub at: Timestamp,
}

/// A log is the concatenation of its segments, each up to its committed length.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogExtents {
    pub segments: Vec<u64>,
}

impl CancelRequest {
    /// The request as the cause of what follows from it.
    pub fn cause(&self) -> Failure {
        let detail = serde_json::json!({"by": self.by, "reason": self.reason, "at": self.at});
        Failure::new("cancelled", "the run was cancelled on request").with_detail(detail)
    }
}

impl LogExtents {
    /// Bytes in the whole log.
    pub fn total(&self) -> u64 {
        self.segments.iter().sum()
    }
}

impl Run {
    pub fn status(&self) -> Status {
        match &self.progress {
            Progress::Ready { wake: Wake::Started, .. } => Status::Pending,
            Progress::Ready { .. } | Progress::Leased { .. } => Status::Running,
            Progress::Ended { end: End::Completed(_), .. } => Status::Completed,
            Progress::Ended { end: End::Failed, .. } => Status::Failed,
            Progress::Ended { end: End::Terminated, .. } => Status::Terminated,
        }
    }

    pub fn is_ended(&self) -> bool {
        matches!(self.progress, Progress::Ended { .. })
    }

    /// The cancellation that is still to be carried out. It is settled as soon as the run goes back: what undoes the
    /// run's work is not stopped half way.
    pub fn cancel_pending(&self) -> Option<&CancelRequest> {
        self.cancel.as_ref().filter(|_| self.fallback.is_none())
    }

    /// When the sweep should look after the run: its ticket should have come, or its lease has run out.
    pub fn next_wake_at(&self) -> Option<Timestamp> {
        match &self.progress {
            Progress::Ready { wake_at, .. } => Some(*wake_at),
            Progress::Leased { lease } => Some(lease.expires_at),
            Progress::Ended { .. } => None,
        }
    }

    /// The ticket that lets the run's present phase run.
    pub fn ticket(&self) -> Ticket {
        Ticket { run: self.id.clone(), phase: self.phase.clone(), seq: self.seq }
    }

    /// What is wrong with `events` as the history of this run, in words: the first one that is missing, says something
    /// else than it did when it was sealed, or was never written.
    pub fn breach(&self, events: &[Event]) -> Option<String> {
        let id = &self.id;
        let mut last = self.first_previous.as_str();
        for (number, event) in (1..=self.events).zip(events) {
            if event.number != number {
                return Some(format!("event {number} of run {id} is missing"));
            }
            if event.run != *id || !event.follows(last) {
                return Some(format!("event {number} of run {id} does not say what it said when it was written"));
            }
            last = &event.hash;
        }
        let found = events.len() as u64;
        if found < self.events {
            return Some(format!("event {} of run {id} is missing", found + 1));
        }
        if found > self.events {
            return Some(format!("event {} of run {id} is none that the run has written", self.events + 1));
        }
        (last != self.last_hash).then(|| format!("event {found} of run {id} is not the one that the run ends with"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_as_a_cause_tells_who_why_and_when_without_a_secret() {
        let at = Timestamp::from_millis(1_000);
        let request = CancelRequest { by: "ada".into(), reason: "password=pl4nted-s3cret".into(), at };
        let cause = request.cause();
        assert_eq!(cause.code, "cancelled");
        assert_eq!(cause.detail, serde_json::json!({"by": "ada", "reason": "password=***", "at": at}));
    }
}
