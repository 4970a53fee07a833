//! Who is told what happens to runs.
//!
//! A fact is told right after the commit that made it true, by the worker that committed it: a delivery that comes
//! twice, or is overtaken, tells nothing. A worker that dies between the two takes the telling along, so what is told of
//! runs is told once at most. Counts made of it may lack something for ever; the rows lack nothing.

use std::time::Duration;

use super::Engine;
use crate::model::{End, Progress, Run, Timestamp, Verdict, Wake};

/// Told what happens to runs. Must be quick, must not block, cannot fail.
pub trait Observer: Send + Sync {
    fn observe(&self, observation: &Observation<'_>);
}

/// Something that is true by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observation<'a> {
    /// A ticket's delivery has claimed its run.
    Delivered {
        pipeline: &'a str,
        phase: &'a str,
        /// From when the ticket was due, or the lease of a dead worker had run out, to the claim.
        age: Duration,
    },
    /// A delivery is over.
    Answered {
        pipeline: &'a str,
        /// The phase that worked, not the one that follows.
        phase: &'a str,
        /// What was committed: `next`, `wait`, `retry`, `fallback`, `done`, `failed` or `terminated`. Of a worker that
        /// lost its run, and committed nothing, `lost`.
        answer: &'static str,
        /// From the claim to the commit.
        took: Duration,
    },
    /// A phase is to be tried again.
    Retried {
        pipeline: &'a str,
        phase: &'a str,
        /// The failure's.
        code: &'a str,
    },
    Ended {
        pipeline: &'a str,
        /// `completed`, `failed` or `terminated`; `undone` where the way back came to its end. A run whose way back
        /// failed has failed.
        outcome: &'static str,
        /// From the start on.
        took: Duration,
    },
    /// A message was delivered too often, or is no ticket.
    Poisoned {
        queue: &'a str,
        /// What became of it: `ended_run`, `fell_back`, or `kept`, which is told again whenever the message comes again.
        kind: &'static str,
    },
    /// A round of the sweep has come to its end.
    Swept {
        /// Runs that have not ended.
        live: u64,
        /// Those of them whose ticket is overdue, or whose worker died.
        late: u64,
        /// Those of them that are so long past their budget that nobody seems to deliver.
        stuck: u64,
        /// Rows that this version cannot read.
        unreadable: u64,
    },
}

/// Every word for an answer, for how a run ended, and for what became of a poison message.
pub const ANSWERS: [&str; 8] = ["next", "wait", "retry", "fallback", "done", "failed", "terminated", "lost"];
pub const OUTCOMES: [&str; 4] = ["completed", "failed", "terminated", "undone"];
pub const POISON_KINDS: [&str; 3] = ["ended_run", "fell_back", "kept"];

/// Listens to nothing.
pub(super) struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _: &Observation<'_>) {}
}

impl Engine {
    /// Tells `claimed` to have been taken up when `found`, the run as it was before, was due.
    pub(super) fn note_delivered(&self, found: &Run, claimed: &Run) {
        let due = found.next_wake_at().unwrap_or(claimed.updated_at);
        let age = claimed.updated_at.since(due);
        self.observer.observe(&Observation::Delivered { pipeline: &found.pipeline, phase: &found.phase, age });
    }

    /// Tells what the worker of `claimed` has made of it.
    pub(super) fn note_answered(&self, claimed: &Run, committed: &Run) {
        let (pipeline, phase) = (claimed.pipeline.as_str(), claimed.phase.as_str());
        let took = committed.updated_at.since(claimed.updated_at);
        self.observer.observe(&Observation::Answered { pipeline, phase, answer: answer(claimed, committed), took });
        if let Progress::Ready { wake: Wake::Retrying { code }, .. } = &committed.progress {
            self.observer.observe(&Observation::Retried { pipeline, phase, code });
        }
        self.note_ended(committed);
    }

    /// Tells that the worker of `claimed` lost it before it could commit.
    pub(super) fn note_lost(&self, claimed: &Run, now: Timestamp) {
        let (pipeline, phase) = (claimed.pipeline.as_str(), claimed.phase.as_str());
        let took = now.since(claimed.updated_at);
        self.observer.observe(&Observation::Answered { pipeline, phase, answer: "lost", took });
    }

    /// Tells the end of a run that was just written, if that ended it.
    pub(super) fn note_ended(&self, run: &Run) {
        let Progress::Ended { end, at } = run.progress else { return };
        let (outcome, took) = (outcome(run, end), at.since(run.created_at));
        self.observer.observe(&Observation::Ended { pipeline: &run.pipeline, outcome, took });
    }
}

fn answer(claimed: &Run, committed: &Run) -> &'static str {
    match &committed.progress {
        Progress::Ready { wake: Wake::Retrying { .. }, .. } => "retry",
        Progress::Ready { wake: Wake::Entered, .. } if claimed.fallback.is_none() && committed.fallback.is_some() => {
            "fallback"
        }
        Progress::Ready { wake: Wake::Entered, .. } => "next",
        // A worker leaves its run in no other way than these, so what is left is a wait, or a word that cut it short.
        Progress::Ready { .. } | Progress::Leased { .. } => "wait",
        Progress::Ended { end: End::Completed(_), .. } => "done",
        Progress::Ended { end: End::Failed, .. } => "failed",
        Progress::Ended { end: End::Terminated, .. } => "terminated",
    }
}

fn outcome(run: &Run, end: End) -> &'static str {
    match end {
        End::Completed(_) if run.fallback.is_some() => "undone",
        End::Completed(Verdict::Succeeded) => "completed",
        End::Completed(Verdict::Failed) | End::Failed => "failed",
        End::Terminated => "terminated",
    }
}
