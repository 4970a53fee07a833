//! What a pipeline is to the engine: ordered phases, each with its bounds.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::context::PhaseContext;
use super::timer::{Timer, TimerSpec};
use crate::model::{Failure, RetryPolicy, Run, Timestamp, Verdict};

/// A phase's answer.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// On to the following phase.
    Next,
    /// On to a phase further behind; those in between are skipped.
    Enter(&'static str),
    /// Come back after a while, by a delayed ticket.
    Wait { after: Duration, reason: String },
    /// The run is over.
    Done { verdict: Verdict, output: Value },
}

/// A phase's failure. Whether trying again can help is decided where the cause is known.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum PhaseError {
    #[error("{failure}")]
    Retryable { failure: Failure, after: Option<Duration> },
    #[error("{0}")]
    Fatal(Failure),
    /// The lease is no longer ours: whatever we were doing belongs to somebody else.
    #[error("the lease was lost")]
    LeaseLost,
}

impl PhaseError {
    pub fn fatal(code: &str, message: impl AsRef<str>) -> Self {
        Self::Fatal(Failure::new(code, message))
    }

    pub fn retryable(code: &str, message: impl AsRef<str>) -> Self {
        Self::Retryable { failure: Failure::new(code, message), after: None }
    }
}

/// The work of one phase. It may be called again at any point of itself: every external effect has a
/// deterministic name, or is looked for before it is repeated, or is checkpointed before it is waited for.
#[async_trait]
pub trait Phase: Send + Sync {
    /// One delivery's worth of work; never sleeps, answers [`Outcome::Wait`] instead.
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError>;

    /// Whether the phase brings back what was: it is not stopped half way, so nobody may cancel a run in it.
    fn is_way_back(&self) -> bool {
        false
    }

    /// Whether the phase is called once more when its time is over, because what it waits for may have come while nobody
    /// looked. An answer other than to go on or to end changes nothing.
    fn looks_once_more(&self, _ctx: &PhaseContext) -> bool {
        false
    }

    /// The signals that this phase must have seen before it ends the run, or fails: one that comes while it is at work
    /// lets it be called once more instead.
    fn heeds(&self) -> &'static [&'static str] {
        &[]
    }

    /// Called before a run ends in this phase, or falls back from it, by cancellation, failure or deadline: stops what the phase
    /// started elsewhere. Best effort, may be called more than once.
    async fn abandon(&self, _ctx: &mut PhaseContext) -> Result<(), PhaseError> {
        Ok(())
    }

    /// The phase that undoes what was done, asked whenever the run would end in this one. It lies behind this one.
    /// Decided from what the context remembers, so what has to be undone is checkpointed before it is done.
    fn fallback(&self, _ctx: &PhaseContext, _why: &Failure) -> Option<&'static str> {
        None
    }
}

/// The bounds of a phase, known without its clients.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PhaseSpec {
    pub name: &'static str,
    /// From entering the phase to leaving it, waits and retries included.
    pub deadline: Duration,
    /// One delivery's share of it: a delivery that takes longer is cut off and tried again.
    pub delivery: Duration,
    pub retry: RetryPolicy,
    /// Time spent in the phase does not count against the run's budget.
    pub waits_for_people: bool,
}

impl PhaseSpec {
    /// What the phase adds to its run's budget while the run is in it.
    pub fn grant(&self) -> Duration {
        if self.waits_for_people { self.deadline } else { Duration::ZERO }
    }
}

/// The shape of a pipeline, known without its clients.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PipelineSpec {
    pub name: &'static str,
    pub phases: &'static [PhaseSpec],
    /// From the start of a run to its first delivery.
    pub queued: Duration,
    /// From start to end of a run.
    pub budget: Duration,
    /// The container of the pipeline's logs; a log is `<container>/<run id>/<name>.log`.
    pub logs: &'static str,
    pub timers: &'static [TimerSpec],
}

impl PipelineSpec {
    /// The queue of a phase, which is the name of its function too.
    pub fn queue(&self, phase: &str) -> String {
        queue_of(self.name, phase)
    }

    pub fn phase(&self, name: &str) -> Option<&'static PhaseSpec> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    pub fn phase_after(&self, name: &str) -> Option<&'static PhaseSpec> {
        self.phases.iter().skip_while(|phase| phase.name != name).nth(1)
    }

    /// The phase `name`, if it lies behind the phase `from`.
    pub fn phase_behind(&self, from: &str, name: &str) -> Option<&'static PhaseSpec> {
        self.phases.iter().skip_while(|phase| phase.name != from).skip(1).find(|phase| phase.name == name)
    }
}

/// The queue of a phase, be it one that this version has or not.
pub(super) fn queue_of(pipeline: &str, phase: &str) -> String {
    format!("{pipeline}-{phase}")
}

/// A pipeline with its phases' work.
#[derive(Clone)]
pub struct Pipeline {
    pub spec: &'static PipelineSpec,
    /// In the order of `spec.phases`.
    pub work: Vec<Arc<dyn Phase>>,
    /// In the order of `spec.timers`.
    pub timers: Vec<Arc<dyn Timer>>,
    /// Where a run that ended without success goes on, or why it cannot. Without it, none can.
    pub resume: Option<ResumeFn>,
}

/// Decides it from the run alone.
pub type ResumeFn = fn(&Run, now: Timestamp) -> Result<Resume, Failure>;

/// Where another run goes on for one that has ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Resume {
    /// One of the pipeline's phases.
    pub phase: &'static str,
    /// What the phases find as if they had remembered it themselves.
    pub state: Value,
}

impl Pipeline {
    pub fn work(&self, phase: &str) -> Option<&Arc<dyn Phase>> {
        let index = self.spec.phases.iter().position(|spec| spec.name == phase)?;
        self.work.get(index)
    }
}

/// Every pipeline that this binary can run.
#[derive(Clone, Default)]
pub struct Registry {
    pipelines: Vec<Pipeline>,
}

impl Registry {
    pub fn new(pipelines: Vec<Pipeline>) -> Self {
        Self { pipelines }
    }

    pub fn get(&self, name: &str) -> Option<&Pipeline> {
        self.pipelines.iter().find(|pipeline| pipeline.spec.name == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Pipeline> {
        self.pipelines.iter()
    }
}
