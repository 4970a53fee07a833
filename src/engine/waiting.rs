//! What this version cannot work on waits for one that can: a ticket or a row of a later version, a row that cannot be
//! read, a phase that is not known here. Nothing of it is written and nothing is ended.
//!
//! Its ticket goes back into its queue as a message of its own, because one that failed would be poison after a few
//! deliveries. One message takes the place of one, so they do not breed. No ticket goes to a phase that is not known
//! here: whether anybody listens there only a version can tell that knows it, and its own sweep sends what is missing.

use std::time::Duration;

use super::Engine;
use super::deliver::{Acknowledged, DeliveryError};
use super::held::{Held, WriteError};
use super::pipeline::{PhaseSpec, Pipeline};
use super::ports::StoreError;
use super::tell::TellError;
use super::transition::{IllegalTransition, Step, Work};
use crate::model::{CancelRequest, Failure, Run, RunId};

impl Engine {
    /// A young run may be in the middle of a change of versions, which takes minutes.
    const SOONEST: Duration = Duration::from_secs(15);
    const LATEST: Duration = Duration::from_secs(120);
    /// So long a version that knows the phase has had to carry out a cancellation, or to see that the budget is over,
    /// before one that does not may end the run.
    const ALONE: Duration = Duration::from_secs(300);

    /// The pipeline and the phase that the run is in, if this version has them.
    pub(super) fn known(&self, run: &Run) -> Option<(&Pipeline, &'static PhaseSpec)> {
        let pipeline = self.registry.get(&run.pipeline)?;
        pipeline.spec.phase(&run.phase).map(|phase| (pipeline, phase))
    }

    /// A ticket of a later version, as it came.
    pub async fn postpone(&self, queue: &str, run: &RunId, message: &str) -> Result<Acknowledged, DeliveryError> {
        match self.run(run).await {
            Ok(None) => Ok(Acknowledged::Unknown),
            Ok(Some(run)) if run.is_ended() => Ok(Acknowledged::Ended),
            Ok(Some(_)) => self.send_back(queue, run, message, "its ticket is of a later version").await,
            Err(StoreError::Unreadable(row)) => self.send_back(queue, run, message, &row.to_string()).await,
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn send_back(
        &self,
        queue: &str,
        run: &RunId,
        message: &str,
        why: &str,
    ) -> Result<Acknowledged, DeliveryError> {
        let age = self.clock.now().as_millis().saturating_sub(run.started_ms());
        let pause = Duration::from_millis(age.max(0).unsigned_abs() / 4).clamp(Self::SOONEST, Self::LATEST);
        self.queue.send_back(queue, message, pause).await?;
        tracing::warn!(%run, queue, pause_s = pause.as_secs(), why, code = "run_waits", "a ticket waits for a version that can work on it");
        Ok(Acknowledged::SentBack)
    }

    /// Whether nobody is there to stop a run whose phase this version does not know.
    pub(super) fn is_alone(&self, run: &Run) -> bool {
        let waits_since = run.cancel_pending().map_or(run.deadline_at, |cancel| cancel.at.min(run.deadline_at));
        self.known(run).is_none() && waits_since + Self::ALONE <= self.clock.now()
    }

    /// Ends a run on request in a phase that nobody knows. What it did is neither cleaned up nor undone.
    pub(super) async fn end_alone(&self, id: &RunId, request: CancelRequest) -> Result<Run, TellError> {
        let Some(held) = Held::read(&self.store, &self.clock, id, self.unique()).await? else {
            return Err(TellError::Unknown);
        };
        let run = held.run().await;
        if run.cancel.is_none() && run.fallback.is_none() {
            taken(held.take(Step::RequestCancel { request: request.clone() }).await)?;
        }
        let (seq, expires_at) = (held.run().await.seq, self.clock.now() + self.settings.lease);
        match held.take(Step::Claim { seq, expires_at }).await {
            // Somebody is at work who knows the phase, and will see the request.
            Err(WriteError::Illegal(IllegalTransition::Held)) => return Ok(held.run().await),
            answer => taken(answer)?,
        };
        let run = held.run().await;
        let work = Work { state: run.state.clone(), logs: run.logs.clone(), ..Work::default() };
        let step = match run.cancel_pending() {
            Some(_) => Step::Terminate { work },
            None => Step::Fail { work, failure: unknown_phase(&run, &request), heeds: &[] },
        };
        let run = taken(held.take(step).await)?;
        self.note_ended(&run);
        tracing::error!(run = %run.id, phase = run.phase, code = "phase_unknown", "a run was ended on request in a phase that this version does not know; what it did is not undone");
        Ok(run)
    }
}

/// Of a run that was going back, which no cancellation ends.
fn unknown_phase(run: &Run, request: &CancelRequest) -> Failure {
    let message = format!(
        "the run was ended on request in phase {}, which the running version of Windlass does not know; look at what it \
         was changing and mend it by hand",
        run.phase
    );
    Failure::new("phase_unknown", message).with_detail(request.cause().detail)
}

fn taken(answer: Result<Run, WriteError>) -> Result<Run, TellError> {
    match answer {
        Ok(run) => Ok(run),
        Err(WriteError::Illegal(IllegalTransition::Ended)) => Err(TellError::Ended),
        Err(WriteError::Store(error)) => Err(error.into()),
        Err(WriteError::Illegal(_)) => {
            Err(StoreError::Unavailable("somebody else has written the run; try again".into()).into())
        }
        Err(WriteError::Gone) => Err(TellError::Unknown),
    }
}
