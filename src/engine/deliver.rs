//! One delivery of a ticket: read, claim, run the phase, commit, hand over.
//!
//! An acknowledged delivery may be deleted from its queue; a [`DeliveryError`] must bring it back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, TryFutureExt};
use tracing::Instrument;

use super::Engine;
use super::context::PhaseContext;
use super::held::{Held, WriteError};
use super::lease::{self, Stop};
use super::pipeline::{Outcome, Phase, PhaseError, PhaseSpec, PipelineSpec, queue_of};
use super::ports::StoreError;
use super::trace;
use super::transition::{IllegalTransition, Step};
use crate::model::{Failure, Progress, Run, Ticket, Timestamp};

/// Why a delivery needs no repetition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acknowledged {
    /// The phase ran and its outcome is committed.
    Worked,
    /// The run has moved on since this ticket was sent.
    Stale,
    /// Another worker holds the run.
    Busy,
    /// The ticket came before its time; it was sent again.
    Early,
    /// The run is over.
    Ended,
    /// There is no such run, or no such ticket was ever sent.
    Unknown,
    /// This version cannot read the run or does not know its phase; the ticket was sent again, for one that does.
    SentBack,
}

/// The delivery has to come again.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What has to follow a committed step.
pub(super) enum Committed {
    Hand(Box<Run>),
    Over,
    /// Somebody else decides about the run now.
    Lost,
}

/// A run that is held for this delivery, and the phase that is to work on it.
struct Claimed {
    spec: &'static PipelineSpec,
    phase: &'static PhaseSpec,
    work: Arc<dyn Phase>,
    held: Held,
    run: Run,
}

enum Claim {
    Held(Box<Claimed>),
    Not(Acknowledged),
}

impl Engine {
    /// A ticket that comes this much too early is worked on: clocks differ.
    const EARLY: Duration = Duration::from_secs(2);
    /// For so long after a commit its worker is taken to be handing over. It is less than the pause after which the
    /// host brings back a message that failed, so that such a one comes late enough to stand in.
    const HAND_OVER: Duration = Duration::from_secs(3);

    /// `queue` is the one that the ticket came from; a ticket of another phase's queue moves nothing.
    pub async fn deliver(&self, queue: &str, ticket: &Ticket) -> Result<Acknowledged, DeliveryError> {
        let answered = async {
            let passed_over = match Box::pin(self.claim(queue, ticket)).await {
                Ok(Claim::Held(claimed)) => match Box::pin(self.work(*claimed)).await {
                    Err(error) => Err(error),
                    worked => return worked,
                },
                Ok(Claim::Not(acknowledged)) => Ok(acknowledged),
                Err(error) => Err(error),
            };
            let acknowledged = match passed_over {
                Err(DeliveryError::Store(StoreError::Unreadable(row))) => {
                    self.send_back(queue, &ticket.run, &ticket.to_json(), &row.to_string()).await?
                }
                passed_over => passed_over?,
            };
            trace::passed_over(acknowledged);
            Ok(acknowledged)
        };
        answered.inspect_err(trace::failed).instrument(trace::delivery(ticket)).await
    }

    /// Takes the run that the ticket is for, if it is the ticket's turn.
    async fn claim(&self, queue: &str, ticket: &Ticket) -> Result<Claim, DeliveryError> {
        let not = |acknowledged| Ok(Claim::Not(acknowledged));
        let Some(held) = Held::read(&self.store, &self.clock, &ticket.run, self.unique()).await? else {
            return not(Acknowledged::Unknown);
        };
        let run = held.run().await;
        trace::found(&run);
        let now = self.clock.now();
        if queue_of(&run.pipeline, &ticket.phase) != queue {
            return not(Acknowledged::Unknown);
        }
        if run.is_ended() {
            return not(Acknowledged::Ended);
        }
        if ticket.seq < run.seq {
            return self.resend_if_missing(queue, &run, ticket).await.map(Claim::Not);
        }
        if *ticket != run.ticket() {
            return not(Acknowledged::Unknown);
        }
        let known = self.known(&run).and_then(|(pipeline, phase)| Some((pipeline, phase, pipeline.work(phase.name)?)));
        let Some((pipeline, phase, work)) = known else {
            return self.await_phase(queue, &run, ticket).await.map(Claim::Not);
        };
        match &run.progress {
            Progress::Leased { lease } if lease.expires_at > now => return not(Acknowledged::Busy),
            Progress::Ready { wake_at, .. } if *wake_at > now + Self::EARLY && now < self.overdue_at(&run, phase) => {
                self.send(pipeline.spec, ticket, *wake_at).await?;
                return not(Acknowledged::Early);
            }
            _ => {}
        }
        match held.take(Step::Claim { seq: ticket.seq, expires_at: now + self.settings.lease }).await {
            Ok(claimed) => {
                self.note_delivered(&run, &claimed);
                trace::claimed(&claimed);
                let (spec, work) = (pipeline.spec, Arc::clone(work));
                Ok(Claim::Held(Box::new(Claimed { spec, phase, work, held, run: claimed })))
            }
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Illegal(IllegalTransition::Held)) => not(Acknowledged::Busy),
            Err(WriteError::Illegal(_)) => not(Acknowledged::Stale),
            Err(WriteError::Gone) => not(Acknowledged::Unknown),
        }
    }

    /// The worker of the ticket right before the present one may have died after its commit and before its hand-over.
    /// It sent nothing else, so a ticket any older than that cannot stand in for the present one; and a ticket that
    /// comes right behind the commit is a duplicate, whose own successors would be duplicates for ever.
    async fn resend_if_missing(&self, queue: &str, run: &Run, ticket: &Ticket) -> Result<Acknowledged, DeliveryError> {
        if let Progress::Ready { wake_at, .. } = &run.progress
            && ticket.seq + 1 == run.seq
            && run.updated_at + Self::HAND_OVER <= self.clock.now()
        {
            let Some((pipeline, _)) = self.known(run) else { return self.await_phase(queue, run, ticket).await };
            self.send(pipeline.spec, &run.ticket(), *wake_at).await?;
        }
        Ok(Acknowledged::Stale)
    }

    async fn await_phase(&self, queue: &str, run: &Run, ticket: &Ticket) -> Result<Acknowledged, DeliveryError> {
        let why = format!("phase {} of {} is not known to this version", run.phase, run.pipeline);
        self.send_back(queue, &run.id, &ticket.to_json(), &why).await
    }

    async fn work(&self, claimed: Claimed) -> Result<Acknowledged, DeliveryError> {
        let Claimed { spec, phase, work, held, run } = claimed;
        let now = self.clock.now();
        let overdue_at = self.overdue_at(&run, phase);
        // A last look gets its time although there is none left.
        let deadline = if now < overdue_at { (now + phase.delivery).min(overdue_at) } else { now + phase.delivery };
        let (logs, clock) = (Arc::clone(&self.logs), Arc::clone(&self.clock));
        let mut ctx = PhaseContext::new(run.clone(), spec, held.clone(), logs, clock, deadline);
        let result = match self.verdict_before_work(spec, &run, phase) {
            Some(early) if is_overdue(&early) && work.looks_once_more(&ctx) => {
                match self.run_phase(work.as_ref(), &mut ctx, &held).await {
                    answer @ (Ok(Outcome::Done { .. } | Outcome::Next | Outcome::Enter(_))
                    | Err(PhaseError::LeaseLost)) => answer,
                    _ => Err(early),
                }
            }
            Some(early) => Err(early),
            None => self.run_phase(work.as_ref(), &mut ctx, &held).await,
        };
        let committed = self.commit(spec, phase, work.as_ref(), &mut ctx, &held, result).await?;
        match committed {
            Committed::Hand(run) => {
                let at = run.next_wake_at().unwrap_or(now);
                self.send(spec, &run.ticket(), at).await?;
                Ok(Acknowledged::Worked)
            }
            Committed::Over => Ok(Acknowledged::Worked),
            Committed::Lost => {
                self.note_lost(ctx.run(), self.clock.now());
                Ok(Acknowledged::Stale)
            }
        }
    }

    /// Runs the phase until it answers, its time is up, or the lease is lost. A panic is an answer too.
    async fn run_phase(&self, work: &dyn Phase, ctx: &mut PhaseContext, held: &Held) -> Result<Outcome, PhaseError> {
        let left = ctx.deadline().since(self.clock.now());
        let work = AssertUnwindSafe(work.run(ctx)).catch_unwind();
        tokio::select! {
            biased;
            answer = work => answer.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))),
            stop = lease::keep(held.clone(), self.clock.as_ref(), self.settings.lease) => Err(match stop {
                Stop::Lost => PhaseError::LeaseLost,
                Stop::Cancelled => PhaseError::Fatal(cancelled()),
            }),
            () = tokio::time::sleep(left) => Err(PhaseError::retryable(
                "delivery_overran",
                format!("the phase did not answer within the {} s of one delivery", left.as_secs()),
            )),
        }
    }

    /// When the phase or the whole run is over its time.
    pub(super) fn overdue_at(&self, run: &Run, phase: &PhaseSpec) -> Timestamp {
        run.deadline_at.min(run.phase_entered_at + phase.deadline)
    }

    fn verdict_before_work(&self, spec: &PipelineSpec, run: &Run, phase: &PhaseSpec) -> Option<PhaseError> {
        let now = self.clock.now();
        if run.cancel_pending().is_some() {
            return Some(PhaseError::Fatal(cancelled()));
        }
        if run.claims > self.settings.max_crashes {
            return Some(PhaseError::fatal(
                "crash_loop",
                format!(
                    "phase {} was begun {} times and its worker never came back; look at the log of the function app \
                     for the cause",
                    run.phase, run.claims
                ),
            ));
        }
        // A claim that is taken over from a worker who died had begun in time.
        if run.seq == 0 && run.claims == 1 && now >= run.created_at + spec.queued {
            let message = format!(
                "the run was queued for longer than {} s before anybody began it; see to it that the function app runs \
                 and its functions are enabled, then start again",
                spec.queued.as_secs()
            );
            return Some(PhaseError::fatal("queue_overdue", message));
        }
        if now >= run.deadline_at {
            let budget = run.deadline_at.since(run.created_at).as_secs();
            return Some(PhaseError::fatal(
                "run_overdue",
                format!("the run did not end within its budget of {budget} s; it was in phase {}", run.phase),
            ));
        }
        if now >= run.phase_entered_at + phase.deadline {
            return Some(PhaseError::fatal(
                "phase_overdue",
                format!("phase {} did not end within its {} s", run.phase, phase.deadline.as_secs()),
            ));
        }
        None
    }
}

/// Stands in until the run itself says by whom and why.
pub(super) fn cancelled() -> Failure {
    Failure::new("cancelled", "the run was cancelled")
}

fn is_overdue(error: &PhaseError) -> bool {
    matches!(error, PhaseError::Fatal(failure) if matches!(failure.code.as_str(), "run_overdue" | "phase_overdue"))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> PhaseError {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    PhaseError::retryable("phase_panicked", format!("the phase panicked: {said}"))
}
