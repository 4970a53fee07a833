//! A run in the hands of one worker: every write goes through here, compare-and-swap, with the event beside it.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::chain;
use super::documents;
use super::meter::Meter;
use super::ports::{Clock, Record, RunStore, StoreError, TransactError, Version, Write};
use super::rows;
use super::schema::{self, Row};
use super::transition::{self, IllegalTransition, Step};
use crate::model::{Run, RunId};

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The run is not what this step needs any more.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Or a version that this one cannot read has written it since.
    #[error("the run is gone")]
    Gone,
}

struct Seen {
    run: Run,
    version: Version,
    /// What the row holds beside the run.
    beside: Record,
}

/// Shared by a worker and the task that renews its lease.
#[derive(Clone)]
pub struct Held {
    store: Arc<dyn RunStore>,
    clock: Arc<dyn Clock>,
    worker: String,
    meter: Meter,
    seen: Arc<Mutex<Seen>>,
}

impl Held {
    /// The run as it is stored now, or `None` if there is no such run.
    pub async fn read(
        store: &Arc<dyn RunStore>,
        clock: &Arc<dyn Clock>,
        id: &RunId,
        worker: String,
    ) -> Result<Option<Self>, StoreError> {
        let meter = Meter::default();
        let store = meter.rows(Arc::clone(store));
        let Some(seen) = load(store.as_ref(), id).await? else { return Ok(None) };
        Ok(Some(Self { store, clock: Arc::clone(clock), worker, meter, seen: Arc::new(Mutex::new(seen)) }))
    }

    /// The rows; what is done here counts for the run.
    pub fn store(&self) -> &Arc<dyn RunStore> {
        &self.store
    }

    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    pub async fn run(&self) -> Run {
        self.seen.lock().await.run.clone()
    }

    /// Takes the step, whatever races it meets: a conflict reads the row again and decides again, and a write whose
    /// reply was lost is known again by its operation.
    pub async fn take(&self, step: Step) -> Result<Run, WriteError> {
        const TRIES: u32 = 6;
        let mut seen = self.seen.lock().await;
        let operation = format!("{}-{:016x}", self.worker, self.clock.random());
        let mut failures = 0;
        loop {
            let mut next =
                transition::apply(&seen.run, &self.worker, step.clone(), self.clock.now(), operation.clone())?;
            let answer = self.write(&seen, &mut next).await;
            match answer {
                Ok(version) => {
                    self.meter.settle(&seen.run, &next.run);
                    (seen.run, seen.version) = (next.run, version);
                    return Ok(seen.run.clone());
                }
                Err(TransactError::Store(error @ (StoreError::Refused(_) | StoreError::Unreadable(_)))) => {
                    return Err(error.into());
                }
                Err(TransactError::Conflict(_) | TransactError::Store(StoreError::Unavailable(_))) => {}
            }
            let again = load(self.store.as_ref(), &seen.run.id).await;
            match again {
                Ok(None) | Err(StoreError::Unreadable(_)) => return Err(WriteError::Gone),
                Ok(Some(found)) if found.run.operation == operation => {
                    self.meter.settle(&seen.run, &found.run);
                    *seen = found;
                    return Ok(seen.run.clone());
                }
                Ok(Some(found)) => *seen = found,
                Err(_) if failures < TRIES => {}
                Err(error) => return Err(error.into()),
            }
            failures += 1;
            if failures > TRIES {
                return Err(StoreError::Unavailable("too many lost races in a row".into()).into());
            }
        }
    }

    async fn write(&self, seen: &Seen, next: &mut transition::Transition) -> Result<Version, TransactError> {
        let id = &seen.run.id;
        let mut beside = Vec::new();
        if let Some(event) = &next.event {
            let key = rows::event_key(id, event.number);
            beside.push(Write::Insert { key, record: rows::event_record(event)? });
        }
        beside.extend(documents::writes(self.store.as_ref(), next).await?);
        if next.run.is_ended() {
            if let Some(stored) = self.store.get(id.tag().as_str(), rows::LOCK).await? {
                let version = stored.version.clone();
                let lock: rows::Lock = schema::read(id.tag().as_str(), rows::LOCK, stored)?;
                let mine = (lock.owner == *id).then(|| Write::Delete { key: rows::LOCK.into(), version });
                beside.extend(mine);
            }
            let link = chain::read(self.store.as_ref(), id.tag()).await?;
            beside.extend(chain::ended(link.as_ref(), &next.run)?);
        }
        // Last of all, when everything but the write itself has been counted.
        self.meter.fill(&seen.run, &mut next.run);
        let (key, record) = (rows::run_key(id), rows::run_record(&next.run, &seen.beside)?);
        let mut writes = vec![Write::Replace { key, version: seen.version.clone(), record }];
        writes.append(&mut beside);
        let versions = self.store.transact(id.tag().as_str(), writes).await?;
        versions.into_iter().next().ok_or_else(|| StoreError::Refused("the store returned no version".into()).into())
    }
}

async fn load(store: &dyn RunStore, id: &RunId) -> Result<Option<Seen>, StoreError> {
    let Some(stored) = store.get(id.tag().as_str(), &rows::run_key(id)).await? else { return Ok(None) };
    let Row { value, version, beside } = schema::read_row(id.tag().as_str(), &rows::run_key(id), stored)?;
    Ok(Some(Seen { run: value, version, beside }))
}
