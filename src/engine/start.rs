//! Starting a run: index entry, then one transaction for run, event, lock and idempotency key, then the first ticket.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Engine;
use super::held::{Held, WriteError};
use super::pipeline::Pipeline;
use super::ports::{Record, StoreError, TransactError, Write};
use super::rows;
use super::transition::{self, Step};
use crate::model::{Event, Failure, GENESIS, Progress, Run, RunId, Scope, Wake};

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
        if let Some(key) = &request.idempotency_key
            && let Some(started) = self.find_by_key(&request.scope, key, &payload).await?
        {
            return self.replay(pipeline, started).await;
        }
        let mut run = self.new_run(pipeline, &request)?;
        let event = transition::begin(&mut run);
        self.announce(&run).await?;
        match self.write_start(&run, &event, request.idempotency_key.as_deref(), &payload).await {
            Ok(()) => self.queue_first(pipeline, run).await,
            Err(TransactError::Store(error)) => Err(error.into()),
            Err(TransactError::Conflict(_)) => {
                if let Some(key) = &request.idempotency_key
                    && let Some(started) = self.find_by_key(&request.scope, key, &payload).await?
                {
                    return self.replay(pipeline, started).await;
                }
                Err(self.who_is_busy(&request.scope).await?)
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
            deadline_at: now + pipeline.spec.budget,
            input: request.input.clone(),
            state: Value::Null,
            output: Value::Null,
            failure: None,
            logs: Default::default(),
            cancel: None,
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
    async fn announce(&self, run: &Run) -> Result<(), StoreError> {
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
                Ok(_) | Err(TransactError::Conflict(_)) => return Ok(()),
                Err(TransactError::Store(StoreError::Unavailable(_))) if tries < 2 => tries += 1,
                Err(TransactError::Store(error)) => return Err(error),
            }
        }
    }

    async fn write_start(
        &self,
        run: &Run,
        event: &Event,
        key: Option<&str>,
        payload: &str,
    ) -> Result<(), TransactError> {
        let mut writes = vec![
            Write::Insert { key: rows::LOCK.into(), record: rows::lock_record(run)? },
            Write::Insert { key: rows::run_key(&run.id), record: rows::run_record(run)? },
            Write::Insert { key: rows::event_key(&run.id, event.number), record: rows::event_record(event)? },
        ];
        if let Some(key) = key {
            let record = rows::to_record(&serde_json::json!({"run": run.id, "payload": payload}))?;
            writes.push(Write::Insert { key: rows::idempotency_key(key), record });
        }
        let mut tries = 0;
        loop {
            let answer = self.store.transact(run.id.tag().as_str(), writes.clone()).await;
            let unsure = match answer {
                Ok(_) => return Ok(()),
                Err(TransactError::Conflict(_)) => true,
                Err(TransactError::Store(StoreError::Unavailable(_))) if tries < 2 => false,
                Err(error) => return Err(error),
            };
            tries += 1;
            // A try whose reply was lost may have done it.
            let found = self.store.get(run.id.tag().as_str(), &rows::run_key(&run.id)).await;
            match found {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if unsure => return answer.map(|_| ()),
                Ok(None) | Err(_) if tries <= 2 => {}
                Ok(None) => return answer.map(|_| ()),
                Err(error) => return Err(error.into()),
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
        let failure = Failure::new("not_queued", format!("the first ticket could not be sent: {cause}"));
        let Some(held) = Held::read(&self.store, &self.clock, &run.id, self.unique()).await? else {
            return Err(StartError::NotQueued(cause));
        };
        match held.take(Step::Abort { failure }).await {
            Err(WriteError::Illegal(_)) => Ok(Started { run: held.run().await, replayed: false }),
            Ok(_) | Err(WriteError::Gone | WriteError::Store(_)) => Err(StartError::NotQueued(cause)),
        }
    }

    async fn find_by_key(&self, scope: &Scope, key: &str, payload: &str) -> Result<Option<RunId>, StartError> {
        let Some(stored) = self.store.get(scope.tag().as_str(), &rows::idempotency_key(key)).await? else {
            return Ok(None);
        };
        let text = |field: &str| stored.record.get(field).and_then(Value::as_str);
        let run: RunId = text("run")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| StoreError::Refused("an idempotency row names no run".into()))?;
        if text("payload") == Some(payload) { Ok(Some(run)) } else { Err(StartError::KeyReused(run)) }
    }

    /// The same request again: the same run, and its first ticket once more in case that one was lost.
    async fn replay(&self, pipeline: &Pipeline, id: RunId) -> Result<Started, StartError> {
        let run = self
            .run(&id)
            .await?
            .ok_or_else(|| StoreError::Refused(format!("run {id} is named by a key, but is gone")))?;
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

/// What makes two requests the same. Objects of serde_json are sorted by key, so the order of fields does not count.
fn digest(request: &StartRequest) -> String {
    let text = serde_json::json!([request.pipeline, request.scope, request.input, request.started_by]).to_string();
    hex::encode(Sha256::digest(text.as_bytes()))
}
