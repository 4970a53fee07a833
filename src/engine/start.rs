//! Starting a run: index entry, then one transaction for run, event, lock and idempotency key, then the first ticket.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Engine;
use super::held::{Held, WriteError};
use super::pipeline::Pipeline;
use super::ports::{Record, StoreError, TransactError, Version, Write};
use super::rows;
use super::transition::{self, Step};
use crate::model::{Event, Failure, GENESIS, Progress, Run, RunId, Scope, Wake};

/// The failure of a run that was ended before it began, because its first ticket could not be sent.
pub const NOT_QUEUED: &str = "not_queued";

pub struct StartRequest {
    pub pipeline: &'static str,
    pub scope: Scope,
    pub input: Value,
    pub started_by: String,
    pub idempotency_key: Option<String>,
}

#[derive(Debug)]
pub struct Started {
    pub run: Run,
    /// An earlier request with the same idempotency key started it.
    pub replayed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("there is no pipeline {0}")]
    UnknownPipeline(String),
    #[error("{} is being changed by run {owner}", scope)]
    Busy { scope: Scope, owner: RunId },
    #[error("the idempotency key was used for another request, which started run {0}")]
    KeyReused(RunId),
    /// The run was ended again, because nothing would have moved it.
    #[error("the run could not be queued: {0}")]
    NotQueued(StoreError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    pub async fn start(&self, request: StartRequest) -> Result<Started, StartError> {
        let pipeline = self
            .registry
            .get(request.pipeline)
            .ok_or_else(|| StartError::UnknownPipeline(request.pipeline.to_owned()))?;
        let payload = digest(&request);
        let earlier = self.find_by_key(&request, &payload).await?;
        if let Keyed::Started(run) = earlier {
            return self.replay(pipeline, *run).await;
        }
        let mut run = self.new_run(pipeline, &request)?;
        let event = transition::begin(&mut run);
        let announced = self.announce(&run).await?;
        let key = key_write(&request, &run.id, &payload, earlier)?;
        match self.write_start(&run, &event, key).await {
            Ok(()) => self.queue_first(pipeline, run).await,
            Err(TransactError::Store(error)) => Err(error.into()),
            Err(TransactError::Conflict(_)) => {
                self.retract(&run, announced).await;
                match self.find_by_key(&request, &payload).await? {
                    Keyed::Started(run) => self.replay(pipeline, *run).await,
                    Keyed::Unused | Keyed::NeverBegan(_) => Err(self.who_is_busy(&request.scope).await?),
                }
            }
        }
    }

    fn new_run(&self, pipeline: &Pipeline, request: &StartRequest) -> Result<Run, StartError> {
        let now = self.clock.now();
        let first = pipeline.spec.phases.first().ok_or_else(|| StartError::UnknownPipeline(request.pipeline.into()))?;
        Ok(Run {
            id: RunId::new(&request.scope, now.as_millis(), self.clock.random()),
            scope: request.scope.clone(),
            pipeline: pipeline.spec.name.to_owned(),
            phase: first.name.to_owned(),
            progress: Progress::Ready { wake_at: now, wake: Wake::Started },
            seq: 0,
            attempt: 1,
            claims: 0,
            phase_entered_at: now,
            deadline_at: now + pipeline.spec.budget + first.grant(),
            input: request.input.clone(),
            state: Value::Null,
            output: Value::Null,
            failure: None,
            logs: Default::default(),
            cancel: None,
            fallback: None,
            signals: Default::default(),
            signalled: false,
            started_by: request.started_by.clone(),
            created_at: now,
            updated_at: now,
            events: 0,
            last_hash: GENESIS.to_owned(),
            operation: self.unique(),
        })
    }

    /// The index entries come before the run, so that whatever dies in between the sweep knows of every run there is.
    async fn announce(&self, run: &Run) -> Result<Vec<Version>, StoreError> {
        let entry = || -> Result<Record, StoreError> {
            rows::to_record(&serde_json::json!({"run": run.id, "scope": run.scope, "created_at": run.created_at}))
        };
        let writes = vec![
            Write::Insert { key: rows::active_key(&run.id), record: entry()? },
            Write::Insert { key: rows::list_key(&run.id), record: entry()? },
        ];
        let mut tries = 0;
        loop {
            match self.store.transact(&rows::index_partition(&run.pipeline), writes.clone()).await {
                // A conflict can only be our own entry, written by a try whose reply was lost.
                Ok(versions) => return Ok(versions),
                Err(TransactError::Conflict(_)) => return Ok(Vec::new()),
                Err(TransactError::Store(StoreError::Unavailable(_))) if tries < 2 => tries += 1,
                Err(TransactError::Store(error)) => return Err(error),
            }
        }
    }

    /// Takes back the entries of a run that was refused. What cannot be taken back now is left to the sweep.
    async fn retract(&self, run: &Run, announced: Vec<Version>) {
        let keys = [rows::active_key(&run.id), rows::list_key(&run.id)];
        let writes: Vec<Write> =
            keys.into_iter().zip(announced).map(|(key, version)| Write::Delete { key, version }).collect();
        if writes.is_empty() {
            return;
        }
        if let Err(error) = self.store.transact(&rows::index_partition(&run.pipeline), writes).await {
            tracing::debug!(run = %run.id, %error, "the entries of a refused run are left to the sweep");
        }
    }

    async fn write_start(&self, run: &Run, event: &Event, key: Option<Write>) -> Result<(), TransactError> {
        let mut writes = vec![
            Write::Insert { key: rows::LOCK.into(), record: rows::lock_record(run)? },
            Write::Insert { key: rows::run_key(&run.id), record: rows::run_record(run)? },
            Write::Insert { key: rows::event_key(&run.id, event.number), record: rows::event_record(event)? },
        ];
        writes.extend(key);
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
            Ok(_) | Err(WriteError::Gone) => Err(StartError::NotQueued(cause)),
            // Whether it was ended is not known: the sweep may yet find it and set it going.
            Err(WriteError::Store(error)) => Err(error.into()),
        }
    }

    async fn find_by_key(&self, request: &StartRequest, payload: &str) -> Result<Keyed, StartError> {
        let Some(key) = &request.idempotency_key else { return Ok(Keyed::Unused) };
        let partition = request.scope.tag();
        let Some(stored) = self.store.get(partition.as_str(), &rows::idempotency_key(key)).await? else {
            return Ok(Keyed::Unused);
        };
        let text = |field: &str| stored.record.get(field).and_then(Value::as_str);
        let id: RunId = text("run")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| StoreError::Refused("an idempotency row names no run".into()))?;
        if text("payload") != Some(payload) {
            return Err(StartError::KeyReused(id));
        }
        let run = self.run(&id).await?;
        let run = run.ok_or_else(|| StoreError::Refused(format!("run {id} is named by a key, but is gone")))?;
        let never_began = run.failure.as_ref().is_some_and(|failure| failure.code == NOT_QUEUED);
        Ok(if never_began { Keyed::NeverBegan(stored.version) } else { Keyed::Started(Box::new(run)) })
    }

    /// The same request again: the same run, and its first ticket once more in case that one was lost.
    async fn replay(&self, pipeline: &Pipeline, run: Run) -> Result<Started, StartError> {
        if matches!(run.progress, Progress::Ready { wake: Wake::Started, .. }) {
            self.send(pipeline.spec, &run.ticket(), run.created_at).await?;
        }
        Ok(Started { run, replayed: true })
    }

    async fn who_is_busy(&self, scope: &Scope) -> Result<StartError, StoreError> {
        let lock = self.store.get(scope.tag().as_str(), rows::LOCK).await?;
        Ok(match lock.as_ref().and_then(rows::lock_owner) {
            Some(owner) => StartError::Busy { scope: scope.clone(), owner },
            // The owner ended between our write and our look.
            None => StoreError::Unavailable(format!("{scope} was just released; try again")).into(),
        })
    }
}

/// What an idempotency key stands for.
enum Keyed {
    /// Nothing, or there is no key.
    Unused,
    Started(Box<Run>),
    /// A run that could not be queued: whoever was told to try again may do so under the same key.
    NeverBegan(Version),
}

fn key_write(request: &StartRequest, run: &RunId, payload: &str, earlier: Keyed) -> Result<Option<Write>, StoreError> {
    let Some(key) = request.idempotency_key.as_deref().map(rows::idempotency_key) else { return Ok(None) };
    let record = rows::to_record(&serde_json::json!({"run": run, "payload": payload}))?;
    Ok(Some(match earlier {
        Keyed::NeverBegan(version) => Write::Replace { key, version, record },
        Keyed::Unused | Keyed::Started(_) => Write::Insert { key, record },
    }))
}

/// What makes two requests the same. Objects of serde_json are sorted by key, so the order of fields does not count.
fn digest(request: &StartRequest) -> String {
    let text = serde_json::json!([request.pipeline, request.scope, request.input, request.started_by]).to_string();
    hex::encode(Sha256::digest(text.as_bytes()))
}
