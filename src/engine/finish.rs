//! From a phase's answer to the committed step that follows from it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use super::Engine;
use super::context::PhaseContext;
use super::deliver::{Committed, DeliveryError};
use super::held::{Held, WriteError};
use super::pipeline::{Outcome, Phase, PhaseError, PhaseSpec, PipelineSpec};
use super::ports::StoreError;
use super::transition::{IllegalTransition, Step, Work};
use crate::model::{Failure, Verdict};

impl Engine {
    /// How long a phase may take to stop what it started.
    const ABANDON: Duration = Duration::from_secs(20);

    pub(super) async fn commit(
        &self,
        spec: &PipelineSpec,
        phase: &PhaseSpec,
        work: &dyn Phase,
        ctx: &mut PhaseContext,
        held: &Held,
        result: Result<Outcome, PhaseError>,
    ) -> Result<Committed, DeliveryError> {
        if matches!(result, Err(PhaseError::LeaseLost)) {
            return Ok(Committed::Lost);
        }
        let step = self.step_after(spec, phase, ctx, result).await;
        let step = match step {
            Step::Fail { failure, .. } => {
                let work = self.abandon(work, ctx).await;
                ending(ctx, work, failure).await
            }
            other => other,
        };
        match held.take(step).await {
            Ok(run) if run.is_ended() => Ok(Committed::Over),
            Ok(run) => Ok(Committed::Hand(Box::new(run))),
            Err(WriteError::Illegal(IllegalTransition::Cancelled)) => {
                let work = self.abandon(work, ctx).await;
                match held.take(Step::Terminate { work }).await {
                    Ok(_) => Ok(Committed::Over),
                    Err(WriteError::Store(error)) => Err(error.into()),
                    Err(_) => Ok(Committed::Lost),
                }
            }
            Err(WriteError::Illegal(_) | WriteError::Gone) => Ok(Committed::Lost),
            Err(WriteError::Store(error @ StoreError::Unavailable(_))) => Err(error.into()),
            Err(WriteError::Store(StoreError::Refused(reason))) => {
                // The row cannot be written as it is, for example because the state outgrew it: end the run without it.
                let failure = Failure::new("state_refused", format!("the run's row was refused: {reason}"));
                self.abandon(work, ctx).await;
                let work = Work { state: ctx.run().state.clone(), logs: ctx.run().logs.clone() };
                match held.take(Step::Fail { work, failure }).await {
                    Ok(_) => Ok(Committed::Over),
                    Err(WriteError::Store(error)) => Err(error.into()),
                    Err(_) => Ok(Committed::Lost),
                }
            }
        }
    }

    /// Decides what follows from the phase's answer.
    async fn step_after(
        &self,
        spec: &PipelineSpec,
        phase: &PhaseSpec,
        ctx: &mut PhaseContext,
        result: Result<Outcome, PhaseError>,
    ) -> Step {
        let (work, unwritten) = ctx.settle().await;
        let now = self.clock.now();
        let result = match (unwritten, result) {
            (Some(error), Ok(_)) => {
                Err(PhaseError::retryable("log_unavailable", format!("the log cannot be written: {error}")))
            }
            (_, result) => result,
        };
        match result {
            Ok(Outcome::Next) => match spec.phase_after(phase.name) {
                Some(next) => Step::Next { work, phase: next.name.to_owned() },
                None => Step::Done { work, verdict: Verdict::Succeeded, output: serde_json::Value::Null },
            },
            Ok(Outcome::Wait { after, reason }) => {
                // A wait never outlasts the phase: the run wakes at its deadline and says that it is overdue.
                let wake_at = (now + after).min(self.overdue_at(ctx.run(), phase)).max(now);
                Step::Wait { work, wake_at, reason }
            }
            Ok(Outcome::Done { verdict, output }) => Step::Done { work, verdict, output },
            Err(PhaseError::Retryable { failure, after }) => match phase.retry.pause_after(ctx.run().attempt, after) {
                Some(pause) => {
                    let wake_at = (now + pause).min(self.overdue_at(ctx.run(), phase)).max(now);
                    Step::Retry { work, wake_at, failure }
                }
                None => Step::Fail { work, failure },
            },
            Err(PhaseError::Fatal(failure)) => Step::Fail { work, failure },
            Err(PhaseError::LeaseLost) => {
                Step::Fail { work, failure: Failure::new("lease_lost", "the lease was lost") }
            }
        }
    }

    /// Lets the phase stop what it started, and says what the last step may save. Nothing that goes wrong here keeps
    /// the run from ending.
    pub(super) async fn abandon(&self, work: &dyn Phase, ctx: &mut PhaseContext) -> Work {
        if ctx.run().claims > self.settings.max_crashes + 1 {
            // The clean-up itself may be what kills the worker.
            return ctx.settle().await.0;
        }
        let cleaning = AssertUnwindSafe(work.abandon(ctx)).catch_unwind();
        let trouble = match tokio::time::timeout(Self::ABANDON, cleaning).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(_)) => Some("it panicked".to_owned()),
            Err(_) => Some("it took too long".to_owned()),
        };
        if let Some(trouble) = trouble {
            tracing::warn!(run = %ctx.run().id, phase = ctx.run().phase, trouble, "a phase could not clean up");
        }
        let (work, unwritten) = ctx.settle().await;
        if let Some(error) = unwritten {
            tracing::warn!(run = %ctx.run().id, %error, "the last log lines of a phase could not be written");
        }
        work
    }
}

/// A cancelled run that fails on its way out was terminated.
pub(super) async fn ending(ctx: &PhaseContext, work: Work, failure: Failure) -> Step {
    if ctx.cancelled().await { Step::Terminate { work } } else { Step::Fail { work, failure } }
}
