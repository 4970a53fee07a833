//! One upgrade or rollback of the history.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::engine::ChronicleEntry;
use crate::http::status::conceal_quotes;
use crate::http::upgrade::status::{UpgradeState, Versions, cause, remembered};
use crate::model::{Event, EventKind, Failure, Progress, Receipt, Run, RunId, Timestamp};
use crate::pipelines::upgrade::rollout::{Return, Rollout};

#[derive(Serialize)]
pub struct HistoryEntry {
    job_id: RunId,
    /// `upgrade` or `rollback`
    kind: String,
    state: UpgradeState,
    target_version: Option<String>,
    from_version: Option<String>,
    commit: Option<String>,
    started_by: String,
    reason: Option<String>,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    duration_s: Option<f64>,
    phases: Vec<PhaseTime>,
    /// Of an upgrade by component, of a rollback by container.
    images: Value,
    revision: Option<String>,
    error: Option<Failure>,
    retry_of: Option<RunId>,
    receipt: ReceiptView,
    /// Only if they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<Event>>,
    /// Whether its events hold and join those of its neighbours.
    intact: bool,
}

/// Until now, for the phase that goes on: up to its last event.
#[derive(Serialize, PartialEq, Debug)]
struct PhaseTime {
    phase: String,
    seconds: f64,
}

#[derive(Serialize)]
struct ReceiptView {
    executions: u64,
    table_operations: u64,
    queue_operations: u64,
    blob_operations: u64,
    log_bytes: u64,
    /// At list prices, see [`Receipt::cost_usd`].
    cost_usd: f64,
}

impl HistoryEntry {
    pub fn of(entry: ChronicleEntry, with_events: bool) -> Self {
        let ChronicleEntry { run, events, intact } = entry;
        let ended_at = match run.progress {
            Progress::Ended { at, .. } => Some(at),
            _ => None,
        };
        let (rollout, back): (Option<Rollout>, Option<Return>) =
            (remembered(&run, "rollout"), remembered(&run, "rollback"));
        let versions = Versions::of(&run, None);
        Self {
            state: UpgradeState::of(&run),
            kind: run.pipeline.clone(),
            target_version: versions.target,
            from_version: versions.from,
            commit: remembered(&run, "commit"),
            reason: run.input.get("reason").and_then(Value::as_str).map(str::to_owned),
            duration_s: ended_at.map(|end| seconds(run.created_at, end)),
            phases: phases(&events),
            images: images(&run),
            revision: back.map(|back| back.revision).or(rollout.map(|rollout| rollout.revision)),
            error: cause(&run),
            receipt: ReceiptView::of(&run.receipt),
            started_by: run.started_by,
            created_at: run.created_at,
            ended_at,
            retry_of: run.retry_of,
            job_id: run.id,
            events: with_events.then_some(events),
            intact,
        }
    }

    /// Leaves out what only admins may see.
    pub fn conceal(&mut self) {
        if let Some(error) = &mut self.error {
            conceal_quotes(&mut error.detail);
        }
        for event in self.events.iter_mut().flatten() {
            if let Some(detail) = event.detail.get_mut("cause").and_then(|cause| cause.get_mut("detail")) {
                conceal_quotes(detail);
            }
        }
    }
}

impl ReceiptView {
    fn of(receipt: &Receipt) -> Self {
        Self {
            executions: receipt.executions,
            table_operations: receipt.table_operations,
            queue_operations: receipt.queue_operations,
            blob_operations: receipt.blob_operations,
            log_bytes: receipt.log_bytes,
            cost_usd: receipt.cost_usd(),
        }
    }
}

/// From the output, or from the builds of an upgrade that came to none.
fn images(run: &Run) -> Value {
    if let Some(images) = run.output.get("images") {
        return images.clone();
    }
    let builds: Option<Map<String, Value>> = remembered(run, "builds");
    let image = |build: &Value| json!({"image": build.get("image"), "digest": build.get("digest")});
    Value::Object(builds.unwrap_or_default().iter().map(|(name, build)| (name.clone(), image(build))).collect())
}

/// How long each phase took, in the order in which they were entered.
fn phases(events: &[Event]) -> Vec<PhaseTime> {
    let mut phases: Vec<PhaseTime> = Vec::new();
    let mut entered: Option<&Event> = None;
    let mut last: Option<&Event> = None;
    let mut close = |from: Option<&Event>, until: Option<&Event>| {
        if let Some((from, until)) = from.zip(until) {
            phases.push(PhaseTime { phase: from.phase.clone(), seconds: seconds(from.at, until.at) });
        }
    };
    for event in events {
        if matches!(event.kind, EventKind::Started | EventKind::Entered | EventKind::FellBack) {
            close(entered, Some(event));
            entered = Some(event);
        }
        last = Some(event);
    }
    close(entered, last);
    phases
}

fn seconds(from: Timestamp, until: Timestamp) -> f64 {
    until.since(from).as_secs_f64()
}
