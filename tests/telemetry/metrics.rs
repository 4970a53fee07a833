//! What is counted and measured.

use serde_json::json;

use crate::traces::watched;

const PROBE: (&str, &str) = ("windlass.pipeline", "probe");

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_counted_by_outcome_and_phases_measured() {
    let (collector, handler) = watched().await;
    let well = handler.start_probe(&json!({}), &[]).await;
    handler.drain(&well).await;
    let ill = handler.start_probe(&json!({"drill": {"phase": "build", "action": "fail"}}), &[]).await;
    handler.drain(&ill).await;
    let received = collector.received();
    let ended = |outcome| received.sum("windlass.runs.ended", &[PROBE, ("windlass.outcome", outcome)]);
    assert_eq!((ended("completed"), ended("failed"), ended("terminated")), (1.0, 1.0, 0.0));
    let measured = |name, attributes: &[(&str, &str)]| -> u64 {
        let fits = |point: &&windlass::dev::collector::Point| {
            point.name == name
                && attributes.iter().all(|(key, value)| point.attributes.get(*key).is_some_and(|v| v == value))
        };
        received.points.iter().filter(fits).map(|point| point.count).sum()
    };
    assert_eq!(measured("windlass.phase.duration", &[PROBE]), 6);
    assert_eq!(measured("windlass.phase.duration", &[("windlass.phase", "build"), ("windlass.answer", "failed")]), 1);
    assert_eq!(measured("windlass.queue.age", &[PROBE, ("windlass.phase", "prepare")]), 2);
    assert!(received.sum("windlass.storage.operations", &[("windlass.service", "table")]) > 6.0);
    assert!(received.sum("windlass.storage.operations", &[("windlass.service", "queue")]) > 4.0);
    assert!(received.points.iter().all(|point| point.delta || point.kind == "gauge"), "differences are told");
    assert!(received.points.iter().all(|point| point.name.starts_with("windlass.") && !point.unit.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_poison_and_sweeps_are_counted() {
    let (collector, handler) = watched().await;
    let id = handler.start_probe(&json!({"drill": {"phase": "prepare", "action": "flake"}}), &[]).await;
    handler.deliver(&id, &[]).await;
    assert_eq!(handler.invoke("probe_build_poison", "no ticket", &[]).await.0, 200);
    assert_eq!(handler.invoke("windlass_sweep", "{}", &[]).await.0, 200);
    let received = collector.received();
    let code = [PROBE, ("windlass.phase", "prepare"), ("windlass.code", "drill_flake")];
    assert_eq!(received.sum("windlass.retries", &code), 1.0);
    assert_eq!(received.sum("windlass.poison.messages", &[("windlass.kind", "kept")]), 1.0);
    assert_eq!(received.sum("windlass.sweep.rounds", &[]), 1.0);
    assert_eq!(received.sum("windlass.sweep.runs", &[("windlass.state", "live")]), 1.0);
}
