//! What a phase sees of its run, and the only way in which it may change it.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::held::{Held, WriteError};
use super::log::LogBook;
use super::pipeline::{PhaseError, PipelineSpec};
use super::ports::{Clock, LogStore, StoreError};
use super::transition::{Step, Work};
use crate::model::{Failure, Run, Timestamp};

pub struct PhaseContext {
    run: Run,
    state: Value,
    logs: LogBook,
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
        let logs = LogBook::new(logs, spec.logs, &run.id, run.logs.clone());
        Self { state: run.state.clone(), run, logs, held, clock, deadline }
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

    /// Commits state and logs now: for an external id that must not be lost, before it is waited for.
    pub async fn checkpoint(&mut self) -> Result<(), PhaseError> {
        self.logs.flush().await.map_err(storage)?;
        match self.held.take(Step::Checkpoint { work: self.work() }).await {
            Ok(_) => Ok(()),
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
        self.held.run().await.cancel.is_some()
    }

    /// Writes pending lines and says what a step may save. The state may speak of lines, so without them it is
    /// worth nothing: then what the last checkpoint saved stays, and the error says why.
    pub(super) async fn settle(&mut self) -> (Work, Option<StoreError>) {
        match self.logs.flush().await {
            Ok(()) => (self.work(), None),
            Err(error) => {
                let run = self.held.run().await;
                (Work { state: run.state, logs: run.logs }, Some(error))
            }
        }
    }

    fn work(&self) -> Work {
        Work { state: self.state.clone(), logs: self.logs.extents() }
    }
}

fn read<T: DeserializeOwned>(what: &str, value: &Value) -> Result<T, PhaseError> {
    T::deserialize(value).map_err(|error| {
        PhaseError::fatal(&format!("{what}_unreadable"), format!("the run's {what} cannot be read: {error}"))
    })
}

fn storage(error: StoreError) -> PhaseError {
    let failure = Failure::new("storage_unavailable", error.to_string());
    match error {
        StoreError::Unavailable(_) => PhaseError::Retryable { failure, after: None },
        StoreError::Refused(_) => PhaseError::Fatal(failure),
    }
}
