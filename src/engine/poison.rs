//! A message that was delivered too often: it ends its run, or is kept where a person can look at it.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Engine;
use super::context::PhaseContext;
use super::deliver::DeliveryError;
use super::held::{Held, WriteError};
use super::observe::Observation;
use super::ports::{Appended, StoreError};
use super::transition::Step;
use crate::model::{Failure, Misread, Ticket};

/// What became of a poison message. Handling one twice comes to the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Poisoned {
    /// Its run was ended.
    RunEnded,
    /// Its run undoes what it did.
    FellBack,
    /// Its run had ended, moved on, or is being worked on: the message says nothing about it any more.
    Harmless,
    /// It is no ticket of ours; it was kept under this name.
    Kept(String),
    /// This version cannot read it or its run, or does not know the run's phase. The run goes on once one is there that
    /// does; the message was kept under this name.
    Waits(String),
}

impl Engine {
    /// The container in which messages are kept that are not ours.
    pub const POISON: &'static str = "windlass-poison";

    pub async fn poisoned(&self, queue: &str, message: &str) -> Result<Poisoned, DeliveryError> {
        let ticket = match Ticket::read(message) {
            Ok(ticket) => ticket,
            Err(Misread::Newer { .. }) => return self.keep(queue, message).await.map(Poisoned::Waits),
            Err(Misread::NoTicket) => return self.keep(queue, message).await.map(Poisoned::Kept),
        };
        match self.end_by_poison(queue, message, &ticket).await {
            Err(DeliveryError::Store(StoreError::Unreadable(_))) => {
                self.keep(queue, message).await.map(Poisoned::Waits)
            }
            answer => answer,
        }
    }

    async fn end_by_poison(&self, queue: &str, message: &str, ticket: &Ticket) -> Result<Poisoned, DeliveryError> {
        let Some(held) = Held::read(&self.store, &self.clock, &ticket.run, self.unique()).await? else {
            return self.keep(queue, message).await.map(Poisoned::Kept);
        };
        let run = held.run().await;
        if run.is_ended() || *ticket != run.ticket() {
            return Ok(Poisoned::Harmless);
        }
        let Some((pipeline, _)) = self.known(&run) else {
            return self.keep(queue, message).await.map(Poisoned::Waits);
        };
        let now = self.clock.now();
        let run = match held.take(Step::Claim { seq: ticket.seq, expires_at: now + self.settings.lease }).await {
            Ok(run) => run,
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Illegal(_) | WriteError::Gone) => return Ok(Poisoned::Harmless),
        };
        let (logs, clock) = (self.logs.clone(), self.clock.clone());
        let phase = run.phase.clone();
        let mut ctx = PhaseContext::new(run, pipeline.spec, held.clone(), logs, clock, now + self.settings.lease);
        let failure = Failure::new(
            "poisoned",
            format!(
                "the ticket of phase {phase} was delivered too often without success; look at the log of the function \
                 app around this time for the cause, then start again"
            ),
        );
        let work = pipeline.work(&phase).map(AsRef::as_ref);
        let step = self.leave(pipeline.spec, work, &mut ctx, failure).await;
        match held.take(step).await {
            Ok(run) if run.is_ended() => {
                self.observer.observe(&Observation::Poisoned { queue, kind: "ended_run" });
                self.note_ended(&run);
                Ok(Poisoned::RunEnded)
            }
            Ok(run) => {
                self.observer.observe(&Observation::Poisoned { queue, kind: "fell_back" });
                self.send(pipeline.spec, &run.ticket(), now).await?;
                Ok(Poisoned::FellBack)
            }
            Err(WriteError::Store(error)) => Err(error.into()),
            Err(WriteError::Illegal(_) | WriteError::Gone) => Ok(Poisoned::Harmless),
        }
    }

    /// Keeps the message under a name made from it, so that keeping it again changes nothing.
    async fn keep(&self, queue: &str, message: &str) -> Result<String, DeliveryError> {
        let digest = hex::encode(Sha256::digest(message.as_bytes()));
        let name = format!("{}/{queue}/{digest}.txt", Self::POISON);
        let bytes = Bytes::copy_from_slice(message.as_bytes());
        if !bytes.is_empty() {
            match self.logs.append(&name, 0, bytes).await? {
                Appended::Written | Appended::Elsewhere { .. } | Appended::Full => {}
            }
        }
        self.observer.observe(&Observation::Poisoned { queue, kind: "kept" });
        Ok(name)
    }
}
