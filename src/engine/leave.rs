//! How a run leaves a phase in which it cannot go on: back to what was before, or to its end.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use super::Engine;
use super::context::PhaseContext;
use super::pipeline::{Phase, PhaseSpec, PipelineSpec};
use super::transition::{Step, Work};
use crate::model::{CancelRequest, Failure, Run, Timestamp};

impl Engine {
    /// How long a phase may take to stop what it started.
    const ABANDON: Duration = Duration::from_secs(20);

    /// Lets the phase stop what it started, then decides where the run goes.
    pub(super) async fn leave(
        &self,
        spec: &PipelineSpec,
        phase: Option<&dyn Phase>,
        ctx: &mut PhaseContext,
        failure: Failure,
    ) -> Step {
        let work = match phase {
            Some(phase) => self.abandon(phase, ctx).await,
            None => ctx.settle().await.0,
        };
        self.way_out(spec, phase, ctx, work, failure).await
    }

    /// A cancelled run that fails on its way out was cancelled all the same.
    pub(super) async fn way_out(
        &self,
        spec: &PipelineSpec,
        phase: Option<&dyn Phase>,
        ctx: &PhaseContext,
        work: Work,
        failure: Failure,
    ) -> Step {
        let run = ctx.latest().await;
        let cause = run.cancel_pending().map_or(failure, CancelRequest::cause);
        let back = phase.filter(|_| run.fallback.is_none()).and_then(|phase| ask_for_fallback(phase, ctx, &cause));
        match back.map(|name| (name, spec.phase_behind(&run.phase, name))) {
            Some((_, Some(back))) => {
                let now = self.clock.now();
                let deadline_at = deadline_after(spec, &run, back, now).max(now + back.deadline);
                Step::FallBack { work, phase: back.name.to_owned(), cause, deadline_at, heeds: &[] }
            }
            Some((name, None)) => {
                Step::Fail { work, failure: out_of_order(&run.phase, name).because(&cause), heeds: &[] }
            }
            None if run.cancel_pending().is_some() => Step::Terminate { work },
            None => Step::Fail { work, failure: cause, heeds: &[] },
        }
    }

    /// Lets the phase stop what it started, and says what the last step may save. Nothing that goes wrong here keeps
    /// the run from leaving.
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

/// When the run will be over its budget once it is in the phase `to`: time in which people are waited for is added, and
/// what was not used of it is taken back.
pub(super) fn deadline_after(spec: &PipelineSpec, run: &Run, to: &PhaseSpec, now: Timestamp) -> Timestamp {
    let granted = spec.phase(&run.phase).map(PhaseSpec::grant).unwrap_or_default();
    let unused = (run.phase_entered_at + granted).since(now);
    run.deadline_at - unused + to.grant()
}

/// The pawl: a run goes on to what lies behind its phase, and to nothing else.
pub(super) fn out_of_order(phase: &str, wanted: &str) -> Failure {
    Failure::new("phase_out_of_order", format!("phase {phase} wanted to go to {wanted}, which does not lie behind it"))
}

fn ask_for_fallback(phase: &dyn Phase, ctx: &PhaseContext, cause: &Failure) -> Option<&'static str> {
    let asked = std::panic::catch_unwind(AssertUnwindSafe(|| phase.fallback(ctx, cause)));
    asked.unwrap_or_else(|_| {
        let run = ctx.run();
        tracing::error!(run = %run.id, phase = run.phase, "a phase panicked when it was asked for its fallback");
        None
    })
}
