//! Telling a run something from outside: to stop, or what one of its phases waits for.

use super::Engine;
use super::held::{Held, WriteError};
use super::ports::StoreError;
use super::transition::{IllegalTransition, Step};
use serde_json::Value;

use crate::model::{CancelRequest, Progress, Run, RunId};

#[derive(Debug, thiserror::Error)]
pub enum TellError {
    #[error("there is no such run")]
    Unknown,
    #[error("the run has ended")]
    Ended,
    /// What undoes the run's work is not stopped half way.
    #[error("the run is going back to what was before")]
    FallingBack,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Asks the run to stop; seen at its next claim, renewal or commit. A run that waits is woken to stop now. A second
    /// request changes nothing, unless the run is in a phase that this version does not know: once whoever knows it has
    /// had time enough to come, it is ended without any clean-up.
    pub async fn cancel(&self, id: &RunId, by: &str, reason: &str) -> Result<Run, TellError> {
        let request = CancelRequest { by: by.to_owned(), reason: reason.to_owned(), at: self.clock.now() };
        let live = self.run(id).await?.filter(|run| !run.is_ended());
        if live.as_ref().is_some_and(|run| self.is_alone(run)) {
            return self.end_alone(id, request).await;
        }
        // Whether a phase is a way back is known of it for good, so that nothing can come between this look and the write.
        let work = live.as_ref().and_then(|run| self.registry.get(&run.pipeline)?.work(&run.phase));
        if work.is_some_and(|phase| phase.is_way_back()) {
            return Err(TellError::FallingBack);
        }
        self.tell(id, Step::RequestCancel { request }).await
    }

    /// Leaves `value` under `name` for the phase that asks for it, and wakes the run if it waits.
    pub async fn signal(&self, id: &RunId, name: &str, value: Value) -> Result<Run, TellError> {
        self.tell(id, Step::Signal { name: name.to_owned(), value }).await
    }

    async fn tell(&self, id: &RunId, step: Step) -> Result<Run, TellError> {
        let Some(held) = Held::read(&self.store, &self.clock, id, self.unique()).await? else {
            return Err(TellError::Unknown);
        };
        let before = held.run().await.seq;
        let run = match held.take(step).await {
            Ok(run) => run,
            Err(WriteError::Illegal(IllegalTransition::Ended)) => return Err(TellError::Ended),
            Err(WriteError::Illegal(IllegalTransition::FallingBack)) => return Err(TellError::FallingBack),
            Err(WriteError::Illegal(_)) => held.run().await,
            Err(WriteError::Gone) => return Err(TellError::Unknown),
            Err(WriteError::Store(error)) => return Err(error.into()),
        };
        if run.seq > before
            && let (Progress::Ready { wake_at, .. }, Some((pipeline, _))) = (&run.progress, self.known(&run))
        {
            self.send(pipeline.spec, &run.ticket(), *wake_at).await?;
        }
        Ok(run)
    }
}
