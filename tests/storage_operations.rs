//! What a run costs the storage, counted by the storage itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass::app::SystemClock;
use windlass::engine::{Acknowledged, Engine, Registry, Settings, StartRequest};
use windlass::model::{Scope, Ticket};
use windlass::pipelines::probe;
use windlass::storage::embedded::Embedded;
use windlass::storage::{Operations, Spent};

/// What a phase may cost: a receive, a send and a deletion; a read, a claim and a commit.
const STEADY: Spent = Spent { queue: 3, table: 3, log: 0 };

#[tokio::test]
async fn a_phase_costs_six_storage_operations_and_one_append_for_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let operations = Operations::default();
    let store = Embedded::open(folder.path(), operations.clone()).expect("a store");
    let ports = Arc::new(store.clone());
    let registry = Registry::new(vec![probe::pipeline()]);
    let engine = Engine::new(registry, ports.clone(), ports.clone(), ports, Arc::new(SystemClock), Settings::default());
    let request = StartRequest {
        pipeline: "probe",
        scope: Scope::new("probe:cost"),
        input: json!({}),
        started_by: "test".into(),
        idempotency_key: None,
    };
    engine.start(request).await.expect("a start");

    let phases = ["prepare", "build", "deploy", "verify"];
    for (index, phase) in phases.iter().enumerate() {
        let before = operations.snapshot();
        let queue = format!("probe-{phase}");
        let message = store.receive_messages(&queue, 1, Duration::from_secs(60)).await.expect("a receive").remove(0);
        let ticket: Ticket = serde_json::from_str(&message.text).expect("a ticket");
        assert_eq!(engine.deliver(&queue, &ticket).await.expect("a delivery"), Acknowledged::Worked);
        assert!(store.delete_message(&queue, &message.id, &message.pop_receipt).await.expect("a deletion"));
        let spent = operations.snapshot() - before;
        if index + 1 < phases.len() {
            assert_eq!(spent, Spent { log: 1, ..STEADY }, "phase {phase}");
        } else {
            // The last one sends nothing and looks at the lock that it releases and at the chain that it ends.
            assert_eq!(spent, Spent { queue: 2, table: 5, log: 1 }, "phase {phase}");
        }
    }
}
