//! Beginning a run: index entries, then one transaction for run, event, lock, chain and idempotency key, then the
//! first ticket.

use serde_json::Value;

use super::Engine;
use super::chain::{self, Link};
use super::held::{Held, WriteError};
use super::keys::{Key, Keyed, key_write};
use super::meter::{self, Meter};
use super::pipeline::{PhaseSpec, Pipeline};
use super::ports::{Record, StoreError, TransactError, Write};
use super::start::{NOT_QUEUED, StartError, Started};
use super::transition::{self, Step};
use super::{rows, schema, trace};
use crate::model::{Event, Failure, GENESIS, Progress, Receipt, Run, RunId, Scope, Wake};

/// A run that is to begin.
pub(super) struct Opening<'a> {
    pub pipeline: &'a Pipeline,
    pub scope: Scope,
    pub input: Value,
    pub started_by: String,
    pub key: Option<Key>,
    /// Where it begins, and what it remembers from the beginning.
    pub phase: &'static PhaseSpec,
    pub state: Value,
    /// The run that it goes on for.
    pub retry_of: Option<RunId>,
}

impl Engine {
    /// Starts and ends of other runs that one start lets go by before it gives up.
    pub(super) const TRIES: u32 = 4;

    /// Begins the run behind what `link` ends with, or finds the one that its key has begun meanwhile. `None` if the
    /// chain has moved since it was read and the scope is free: then it has to be decided again.
    pub(super) async fn open(
        &self,
        opening: &Opening<'_>,
        earlier: &Keyed,
        link: Option<&Link>,
        meter: &Meter,
    ) -> Result<Option<Started>, StartError> {
        let mut run = self.new_run(opening, link);
        let event = transition::begin(&mut run);
        let announced = self.announce(&run).await?;
        run.receipt = meter::begun(meter);
        let mut writes = vec![
            Write::Insert { key: rows::LOCK.into(), record: rows::lock_record(&run)? },
            Write::Insert { key: rows::run_key(&run.id), record: rows::run_record(&run, &Record::new())? },
            event_write(&run, &event)?,
            chain::begun(link, &run)?,
        ];
        writes.extend(key_write(opening, &run.id, earlier)?);
        match self.write_start(&run, writes).await {
            Ok(()) => {
                trace::started(&run);
                self.queue_first(opening.pipeline, run).await.map(Some)
            }
            Err(TransactError::Store(error)) => Err(error.into()),
            Err(TransactError::Conflict(_)) => {
                self.retract(&run, announced).await;
                if let Keyed::Started(run) = self.find_by_key(&opening.scope, opening.key.as_ref()).await? {
                    return self.replay(opening.pipeline, *run).await.map(Some);
                }
                let tag = opening.scope.tag();
                let Some(lock) = self.store.get(tag.as_str(), rows::LOCK).await? else { return Ok(None) };
                // A later version's lock holds the scope as well, and its owner can be told.
                let owner = match rows::lock_owner(&lock) {
                    Some(owner) => owner,
                    None => schema::read::<rows::Lock>(tag.as_str(), rows::LOCK, lock)?.owner,
                };
                Err(StartError::Busy { scope: opening.scope.clone(), owner })
            }
        }
    }

    fn new_run(&self, opening: &Opening<'_>, link: Option<&Link>) -> Run {
        let now = self.clock.now();
        let (scope, random) = (&opening.scope, self.clock.random());
        // The chain and the order of ids are one order.
        let id = match link {
            Some(link) => RunId::after(&link.chain.last_run, scope, now.as_millis(), random),
            None => RunId::new(scope, now.as_millis(), random),
        };
        let traceparent = trace::place(&id);
        let previous = link.map_or(GENESIS, |link| link.chain.last_hash.as_str());
        Run {
            id,
            scope: scope.clone(),
            pipeline: opening.pipeline.spec.name.to_owned(),
            phase: opening.phase.name.to_owned(),
            progress: Progress::Ready { wake_at: now, wake: Wake::Started },
            seq: 0,
            attempt: 1,
            claims: 0,
            phase_entered_at: now,
            deadline_at: now + opening.pipeline.spec.budget + opening.phase.grant(),
            input: opening.input.clone(),
            state: opening.state.clone(),
            output: Value::Null,
            failure: None,
            logs: Default::default(),
            cancel: None,
            fallback: None,
            signals: Default::default(),
            signalled: false,
            retry_of: opening.retry_of.clone(),
            traceparent: Some(traceparent),
            started_by: opening.started_by.clone(),
            created_at: now,
            updated_at: now,
            events: 0,
            last_hash: previous.to_owned(),
            first_previous: previous.to_owned(),
            receipt: Receipt::default(),
            operation: self.unique(),
        }
    }

    async fn write_start(&self, run: &Run, writes: Vec<Write>) -> Result<(), TransactError> {
        let mut tries = 0;
        loop {
            let answer = self.store.transact(run.id.tag().as_str(), writes.clone()).await;
            let refused = match answer {
                Ok(_) => return Ok(()),
                Err(TransactError::Conflict(_)) => true,
                Err(TransactError::Store(StoreError::Unavailable(_))) => false,
                Err(error) => return Err(error),
            };
            tries += 1;
            // A try whose reply was lost may have done it.
            match self.store.get(run.id.tag().as_str(), &rows::run_key(&run.id)).await {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if refused || tries > 2 => return answer.map(|_| ()),
                Err(error) if tries > 2 => return Err(error.into()),
                Ok(None) | Err(_) => {}
            }
        }
    }

    async fn queue_first(&self, pipeline: &Pipeline, run: Run) -> Result<Started, StartError> {
        match self.send(pipeline.spec, &run.ticket(), run.created_at).await {
            Ok(()) => Ok(Started { run, replayed: false }),
            Err(error) => self.undo_start(run, error).await,
        }
    }

    /// Ends the run again, unless its ticket got through after all. If this fails too, the sweep finds the run.
    async fn undo_start(&self, run: Run, cause: StoreError) -> Result<Started, StartError> {
        let failure = Failure::new(NOT_QUEUED, format!("the first ticket could not be sent: {cause}; start again"));
        let Some(held) = Held::read(&self.store, &self.clock, &run.id, self.unique()).await? else {
            return Err(StartError::NotQueued(cause));
        };
        match held.take(Step::Abort { failure }).await {
            Err(WriteError::Illegal(_)) => Ok(Started { run: held.run().await, replayed: false }),
            Ok(run) => {
                self.note_ended(&run);
                Err(StartError::NotQueued(cause))
            }
            Err(WriteError::Gone) => Err(StartError::NotQueued(cause)),
            // Whether it was ended is not known: the sweep may yet find it and set it going.
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }
}

fn event_write(run: &Run, event: &Event) -> Result<Write, StoreError> {
    Ok(Write::Insert { key: rows::event_key(&run.id, event.number), record: rows::event_record(event)? })
}
