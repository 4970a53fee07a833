//! What a run costs the storage, counted by the storage itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass::app::SystemClock;
use windlass::engine::{Acknowledged, Engine, Registry, Settings, StartRequest};
use windlass::model::{LogExtents, Run, Scope, Ticket};
use windlass::pipelines::probe;
use windlass::storage::embedded::Embedded;
use windlass::storage::{Operations, Spent};

/// What a phase may cost: a receive, a send and a deletion; a read, a claim and a commit.
const STEADY: Spent = Spent { queue: 3, table: 3, log: 0 };

struct Bench {
    engine: Engine,
    store: Embedded,
    operations: Operations,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let operations = Operations::default();
        let store = Embedded::open(folder.path(), operations.clone()).expect("a store");
        let ports = Arc::new(store.clone());
        let (registry, clock) = (Registry::new(vec![probe::pipeline()]), Arc::new(SystemClock));
        let engine = Engine::new(registry, ports.clone(), ports.clone(), ports, clock, Settings::default());
        Self { engine, store, operations, _folder: folder }
    }

    async fn start(&self, input: Value, idempotency_key: Option<String>) -> Run {
        let request = StartRequest {
            pipeline: "probe",
            scope: Scope::new("probe:cost"),
            input,
            started_by: "test".into(),
            idempotency_key,
        };
        self.engine.start(request).await.expect("a start").run
    }

    /// One message of the phase's queue, from its receipt to its deletion.
    async fn deliver(&self, phase: &str) {
        let (queue, hidden) = (format!("probe-{phase}"), Duration::from_secs(60));
        let message = self.store.receive_messages(&queue, 1, hidden).await.expect("a receive").remove(0);
        let ticket: Ticket = serde_json::from_str(&message.text).expect("a ticket");
        assert_eq!(self.engine.deliver(&queue, &ticket).await.expect("a delivery"), Acknowledged::Worked);
        assert!(self.store.delete_message(&queue, &message.id, &message.pop_receipt).await.expect("a deletion"));
    }

    /// The receipt has what the storage counted, and `executions`.
    async fn assert_receipt(&self, run: &Run, executions: u64) {
        let Spent { queue, table, log } = self.operations.snapshot();
        let run = self.engine.run(&run.id).await.expect("an answer").expect("a run");
        let receipt = run.receipt;
        assert_eq!((receipt.queue_operations, receipt.table_operations, receipt.blob_operations), (queue, table, log));
        assert_eq!(receipt.executions, executions);
        assert_eq!(receipt.log_bytes, run.logs.values().map(LogExtents::total).sum::<u64>());
    }
}

const PHASES: [&str; 4] = ["prepare", "build", "deploy", "verify"];

#[tokio::test]
async fn a_phase_costs_six_storage_operations_and_one_append_for_its_line() {
    let bench = Bench::new();
    bench.start(json!({}), None).await;
    for (index, phase) in PHASES.iter().enumerate() {
        let before = bench.operations.snapshot();
        bench.deliver(phase).await;
        let spent = bench.operations.snapshot() - before;
        if index + 1 < PHASES.len() {
            assert_eq!(spent, Spent { log: 1, ..STEADY }, "phase {phase}");
        } else {
            // The last one sends nothing and looks at the lock that it releases and at the chain that it ends.
            assert_eq!(spent, Spent { queue: 2, table: 5, log: 1 }, "phase {phase}");
        }
    }
}

#[tokio::test]
async fn the_receipt_of_an_undisturbed_run_has_every_operation_that_the_storage_counted() {
    for key in [None, Some("k".to_owned())] {
        let bench = Bench::new();
        let run = bench.start(json!({}), key).await;
        for phase in PHASES {
            bench.deliver(phase).await;
        }
        bench.assert_receipt(&run, 4).await;
    }
}

#[tokio::test]
async fn the_receipt_of_a_run_that_goes_on_for_another_begins_anew() {
    let bench = Bench::new();
    let failed = bench.start(json!({"drill": {"phase": "build", "action": "fail"}}), None).await;
    bench.deliver("prepare").await;
    bench.deliver("build").await;
    bench.assert_receipt(&failed, 2).await;
    let before = bench.operations.snapshot();
    let run = bench.engine.retry(&failed.id, "test", None).await.expect("a retry").run;
    for phase in &PHASES[1..] {
        bench.deliver(phase).await;
    }
    let spent = bench.operations.snapshot() - before;
    let receipt = bench.engine.run(&run.id).await.expect("an answer").expect("a run").receipt;
    let counted = (receipt.queue_operations, receipt.table_operations, receipt.blob_operations, receipt.executions);
    assert_eq!(counted, (spent.queue, spent.table, spent.log, 3));
}
