//! From a phase's answer to the committed step that follows from it.

use std::time::Duration;

use serde_json::Value;

use super::Engine;
use super::context::PhaseContext;
use super::deliver::{Committed, DeliveryError, cancelled};
use super::held::{Held, WriteError};
use super::leave::{deadline_after, out_of_order};
use super::pipeline::{Outcome, Phase, PhaseError, PhaseSpec, PipelineSpec};
use super::ports::StoreError;
use super::rows;
use super::transition::{IllegalTransition, Step, Work};
use crate::model::{Failure, Verdict};

impl Engine {
    /// How soon a run looks again whether its end can be written.
    const UNREADABLE: Duration = Duration::from_secs(60);

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
        let step = match self.step_after(spec, phase, work, ctx, result).await {
            Step::Fail { failure, heeds, .. } => self.leave(spec, Some(work), ctx, failure).await.heeding(heeds),
            other => other,
        };
        let answer = match held.take(step).await {
            Err(WriteError::Illegal(IllegalTransition::Cancelled)) => {
                let step = self.leave(spec, Some(work), ctx, cancelled()).await;
                held.take(step).await
            }
            Err(WriteError::Store(StoreError::Unreadable(row))) if !rows::is_document(&row.key) => {
                // The lock or the chain, without which no run ends. What it did may be all right, so nothing is undone: it
                // comes again, and ends when they can be read.
                let work = ctx.saved().await;
                let (wake_at, reason) = (self.clock.now() + Self::UNREADABLE, format!("a row to be readable: {row}"));
                held.take(Step::Wait { work, wake_at, reason }).await
            }
            Err(WriteError::Store(error @ (StoreError::Refused(_) | StoreError::Unreadable(_)))) => {
                // The row cannot be written as it is, for example because the state outgrew it, or what is to be written
                // beside it must not be: go on without it.
                let failure = unwritable(&error);
                self.abandon(work, ctx).await;
                let saved = ctx.saved().await;
                held.take(self.way_out(spec, Some(work), ctx, saved, failure).await).await
            }
            answer => answer,
        };
        match answer {
            Ok(run) => {
                self.note_answered(ctx.run(), &run);
                Ok(if run.is_ended() { Committed::Over } else { Committed::Hand(Box::new(run)) })
            }
            Err(WriteError::Illegal(_) | WriteError::Gone) => Ok(Committed::Lost),
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    /// Decides what follows from the phase's answer.
    async fn step_after(
        &self,
        spec: &PipelineSpec,
        phase: &PhaseSpec,
        behind: &dyn Phase,
        ctx: &mut PhaseContext,
        result: Result<Outcome, PhaseError>,
    ) -> Step {
        let (work, unwritten) = ctx.settle().await;
        let now = self.clock.now();
        let result = match (unwritten, result) {
            (Some(error), Ok(_)) => Err(PhaseError::retryable(
                "log_unavailable",
                format!("the log cannot be written: {error}; see to it that the storage answers, then try again"),
            )),
            (_, result) => result,
        };
        match result {
            Ok(Outcome::Next) => match spec.phase_after(phase.name) {
                Some(next) => self.step_into(spec, ctx, work, next),
                // What went back did not succeed.
                None if ctx.run().fallback.is_some() => {
                    Step::Done { work, verdict: Verdict::Failed, output: Value::Null, heeds: &[] }
                }
                None => Step::Done { work, verdict: Verdict::Succeeded, output: Value::Null, heeds: &[] },
            },
            Ok(Outcome::Enter(name)) => match spec.phase_behind(phase.name, name) {
                Some(next) => self.step_into(spec, ctx, work, next),
                None => Step::Fail { work, failure: out_of_order(phase.name, name), heeds: &[] },
            },
            Ok(Outcome::Wait { after, reason }) => {
                // A wait never outlasts the phase: the run wakes at its deadline and says that it is overdue.
                let wake_at = (now + after).min(self.overdue_at(ctx.run(), phase)).max(now);
                Step::Wait { work, wake_at, reason }
            }
            Ok(Outcome::Done { verdict, output }) => Step::Done { work, verdict, output, heeds: behind.heeds() },
            Err(PhaseError::Retryable { failure, after }) => match phase.retry.pause_after(ctx.run().attempt, after) {
                Some(pause) => {
                    let wake_at = (now + pause).min(self.overdue_at(ctx.run(), phase)).max(now);
                    Step::Retry { work, wake_at, failure }
                }
                None => Step::Fail { work, failure, heeds: &[] },
            },
            Err(PhaseError::Fatal(failure)) => Step::Fail { work, failure, heeds: behind.heeds() },
            Err(PhaseError::LeaseLost) => {
                Step::Fail { work, failure: Failure::new("lease_lost", "the lease was lost"), heeds: &[] }
            }
        }
    }

    fn step_into(&self, spec: &PipelineSpec, ctx: &PhaseContext, work: Work, next: &PhaseSpec) -> Step {
        let deadline_at = deadline_after(spec, ctx.run(), next, self.clock.now());
        Step::Next { work, phase: next.name.to_owned(), deadline_at }
    }
}

fn unwritable(error: &StoreError) -> Failure {
    match error {
        StoreError::Unreadable(row) => Failure::new("document_unreadable", row.to_string()),
        StoreError::Refused(why) | StoreError::Unavailable(why) => {
            let advice = "look at the log of the function app, then start again";
            Failure::new("state_refused", format!("the run's row was refused: {why}; {advice}"))
        }
    }
}
