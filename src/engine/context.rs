//! What a phase sees of its run, and the only way in which it may change it.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::documents::Documents;
use super::held::{Held, WriteError};
use super::log::LogBook;
use super::pipeline::{PhaseError, PipelineSpec};
use super::ports::{Clock, LogStore, StoreError, Unreadable};
use super::transition::{Step, Work};
use crate::model::{Failure, Run, Timestamp};

pub struct PhaseContext {
    run: Run,
    state: Value,
    logs: LogBook,
    documents: Documents,
    held: Held,
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
}

impl PhaseContext {
    pub(super) fn new(
        run: Run,
        spec: &PipelineSpec,
        held: Held,
        logs: Arc<dyn LogStore>,
        clock: Arc<dyn Clock>,
        deadline: Timestamp,
    ) -> Self {
        let logs = LogBook::new(held.meter().logs(logs), spec.logs, &run.id, run.logs.clone());
        let documents = Documents::new(Arc::clone(held.store()), run.scope.clone());
        Self { state: run.state.clone(), run, logs, documents, held, clock, deadline }
    }

    /// The run as it was when this delivery claimed it.
    pub fn run(&self) -> &Run {
        &self.run
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When this delivery will be cut off.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    pub fn input<T: DeserializeOwned>(&self) -> Result<T, PhaseError> {
        read("input", &self.run.input)
    }

    /// What earlier deliveries and phases remembered.
    pub fn state<T: DeserializeOwned + Default>(&self) -> Result<T, PhaseError> {
        if self.state.is_null() { Ok(T::default()) } else { read("state", &self.state) }
    }

    /// Remembers `state` with the next checkpoint or with the phase's answer, whichever comes first.
    pub fn set_state<T: Serialize>(&mut self, state: &T) -> Result<(), PhaseError> {
        self.state = serde_json::to_value(state)
            .map_err(|error| PhaseError::fatal("state_unwritable", format!("the state cannot be written: {error}")))?;
        Ok(())
    }

    /// Adds a line to a log of the run. Lines go out with the next flush, checkpoint or answer.
    pub fn log(&mut self, log: &str, line: &str) {
        self.logs.line(log, line);
    }

    /// A document of the run's scope, as this delivery left it.
    pub async fn document<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, PhaseError> {
        self.documents.get(name).await.map_err(|error| match error {
            StoreError::Unavailable(_) => storage(error),
            StoreError::Refused(why) => PhaseError::fatal("document_unreadable", why),
            StoreError::Unreadable(row) => unreadable(&row),
        })
    }

    /// Writes the document with the next checkpoint or with the phase's answer, whichever comes first, in one
    /// transaction with it.
    pub fn set_document<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), PhaseError> {
        let value = serde_json::to_value(value).map_err(|error| {
            PhaseError::fatal("document_unwritable", format!("the document {name} cannot be written: {error}"))
        })?;
        self.change(name, Some(value))
    }

    /// Removes the document in the same way.
    pub fn remove_document(&mut self, name: &str) -> Result<(), PhaseError> {
        self.change(name, None)
    }

    fn change(&mut self, name: &str, value: Option<Value>) -> Result<(), PhaseError> {
        self.documents.set(name, value).map_err(|error| PhaseError::fatal("document_unwritable", error.to_string()))
    }

    /// Commits state, documents and logs now: for an external id that must not be lost, before it is waited for.
    pub async fn checkpoint(&mut self) -> Result<(), PhaseError> {
        self.logs.flush().await.map_err(storage)?;
        match self.held.take(Step::Checkpoint { work: self.work() }).await {
            Ok(_) => {
                self.documents.changes.clear();
                Ok(())
            }
            Err(WriteError::Store(error)) => Err(storage(error)),
            Err(WriteError::Illegal(_) | WriteError::Gone) => Err(PhaseError::LeaseLost),
        }
    }

    /// What was left for the run under `name` before this delivery claimed it.
    pub fn signal(&self, name: &str) -> Option<&Value> {
        self.run.signals.get(name)
    }

    /// Whether somebody asked for the run to be cancelled since it was claimed, as far as this worker has seen.
    pub async fn cancelled(&self) -> bool {
        self.latest().await.cancel_pending().is_some()
    }

    /// The run as this worker has seen it last.
    pub(super) async fn latest(&self) -> Run {
        self.held.run().await
    }

    /// What the last checkpoint saved.
    pub(super) async fn saved(&self) -> Work {
        let run = self.latest().await;
        Work { state: run.state, logs: run.logs, ..Work::default() }
    }

    /// Writes pending lines and says what a step may save. The state may speak of lines, so without them it is
    /// worth nothing: then what the last checkpoint saved stays, and the error says why.
    pub(super) async fn settle(&mut self) -> (Work, Option<StoreError>) {
        match self.logs.flush().await {
            Ok(()) => (self.work(), None),
            Err(error) => (self.saved().await, Some(error)),
        }
    }

    fn work(&self) -> Work {
        Work { state: self.state.clone(), logs: self.logs.extents(), documents: self.documents.changes.clone() }
    }
}

fn read<T: DeserializeOwned>(what: &str, value: &Value) -> Result<T, PhaseError> {
    T::deserialize(value).map_err(|error| {
        PhaseError::fatal(&format!("{what}_unreadable"), format!("the run's {what} cannot be read: {error}"))
    })
}

/// While two versions are at work, the next try may be the other one's.
fn unreadable(row: &Unreadable) -> PhaseError {
    match row.newer {
        true => PhaseError::retryable("document_unreadable", row.to_string()),
        false => PhaseError::fatal("document_unreadable", row.to_string()),
    }
}

fn storage(error: StoreError) -> PhaseError {
    let advice = "see to it that the storage answers and lets this identity write, then try again";
    let failure = Failure::new("storage_unavailable", format!("{error}; {advice}"));
    match error {
        StoreError::Unavailable(_) => PhaseError::Retryable { failure, after: None },
        StoreError::Refused(_) => PhaseError::Fatal(failure),
        StoreError::Unreadable(row) => unreadable(&row),
    }
}
