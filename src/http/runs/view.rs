//! A run in the dialect of Durable Functions, with what Windlass knows beyond it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::engine::Engine;
use crate::http::status::{CustomStatus, Why, conceal_quotes};
use crate::model::{
    CancelRequest, End, Event, Failure, Progress, Receipt, Run, RunId, Scope, Status, Timestamp, Verdict,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    instance_id: RunId,
    /// The pipeline.
    name: String,
    runtime_status: Status,
    /// Null for those who may not see it.
    input: Value,
    custom_status: CustomStatus,
    output: Value,
    created_time: Timestamp,
    last_updated_time: Timestamp,
    scope: Scope,
    started_by: String,
    /// The run that failed and that this one goes on for.
    retry_of: Option<RunId>,
    phase: String,
    attempt: u32,
    seq: u64,
    /// Null once the run has ended.
    why: Option<Why>,
    /// Of a completed run: whether the work succeeded.
    verdict: Option<Verdict>,
    failure: Option<Failure>,
    cancel: Option<CancelRequest>,
    /// Bytes of each log.
    logs: BTreeMap<String, u64>,
    receipt: ReceiptView,
    #[serde(flatten)]
    pub history: Option<History>,
}

/// What the run has cost so far.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptView {
    executions: u64,
    table_operations: u64,
    queue_operations: u64,
    blob_operations: u64,
    log_bytes: u64,
    /// At list prices, see [`Receipt::cost_usd`].
    estimated_cost_usd: f64,
}

impl ReceiptView {
    fn of(receipt: &Receipt) -> Self {
        Self {
            executions: receipt.executions,
            table_operations: receipt.table_operations,
            queue_operations: receipt.queue_operations,
            blob_operations: receipt.blob_operations,
            log_bytes: receipt.log_bytes,
            estimated_cost_usd: receipt.cost_usd(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    history: Vec<Event>,
    /// Whether every event is there and says what it said when it was written.
    history_intact: bool,
}

impl RunView {
    pub fn of(engine: &Engine, run: &Run, with_input: bool) -> Self {
        let verdict = match run.progress {
            Progress::Ended { end: End::Completed(verdict), .. } => Some(verdict),
            _ => None,
        };
        Self {
            instance_id: run.id.clone(),
            name: run.pipeline.clone(),
            runtime_status: run.status(),
            input: if with_input { run.input.clone() } else { Value::Null },
            custom_status: CustomStatus::of(engine, run),
            output: run.output.clone(),
            created_time: run.created_at,
            last_updated_time: run.updated_at,
            scope: run.scope.clone(),
            started_by: run.started_by.clone(),
            retry_of: run.retry_of.clone(),
            phase: run.phase.clone(),
            attempt: run.attempt,
            seq: run.seq,
            why: Why::of(engine, run),
            verdict,
            failure: run.failure.clone(),
            cancel: run.cancel.clone(),
            logs: run.logs.iter().map(|(name, extents)| (name.clone(), extents.total())).collect(),
            receipt: ReceiptView::of(&run.receipt),
            history: None,
        }
    }

    /// Leaves out what only admins may see beside the input.
    pub fn conceal(&mut self) {
        if let Some(failure) = &mut self.failure {
            conceal_quotes(&mut failure.detail);
        }
        for event in self.history.iter_mut().flat_map(|history| &mut history.history) {
            if let Some(detail) = event.detail.get_mut("cause").and_then(|cause| cause.get_mut("detail")) {
                conceal_quotes(detail);
            }
        }
    }
}

impl History {
    /// The events up to the state in which the run was read; later ones belong to a later state.
    pub fn of(run: &Run, mut events: Vec<Event>) -> Self {
        events.retain(|event| event.number <= run.events);
        let history_intact = run.breach(&events).is_none();
        Self { history: events, history_intact }
    }
}
