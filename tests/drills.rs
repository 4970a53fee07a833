//! What goes wrong in a phase, practised on the probe through the whole product.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/local.rs"]
mod local;
#[path = "support/product.rs"]
mod product;

use std::sync::LazyLock;

use local::{Caller, Start, external_host};
use product::Product;
use serde_json::{Value, json};
use windlass::engine::ports::Stored;
use windlass::model::{RunId, Timestamp};

static PRODUCT: LazyLock<Product> = LazyLock::new(|| Product::start(Start::embedded(&Product::folder("drills"))));

/// Starts a probe that does `action` in its phase `build`.
async fn drill(caller: &Caller, action: &str, seconds: u64) -> RunId {
    let body = json!({"drill": {"phase": "build", "action": action, "seconds": seconds}});
    let (status, started) = caller.post("/api/probe/start", &body).await;
    assert_eq!(status, 202, "{started}");
    started["id"].as_str().expect("an id").parse().expect("an id")
}

/// The run once it has ended, its history checked and its lock released.
async fn ended(caller: &Caller, id: &RunId) -> Value {
    let run = caller.until(&format!("/api/runs/{id}"), |run| run["why"].is_null()).await;
    assert_eq!(run["historyIntact"], true, "{run:#}");
    assert!(lock(id).await.is_none(), "{id} has left its lock");
    run
}

async fn lock(id: &RunId) -> Option<Stored> {
    PRODUCT.storage().store().get(id.tag().as_str(), "lock").await.expect("storage answers")
}

async fn until_blocked(caller: &Caller, id: &RunId) {
    caller.until(&format!("/api/probe/{id}/status"), |run| !run["custom_status"]["waiting_for"].is_null()).await;
}

fn events(run: &Value, kind: &str) -> Vec<Value> {
    let all = run["history"].as_array().expect("a history").iter();
    all.filter(|event| event["kind"] == kind).cloned().collect()
}

fn at(event: &Value) -> Timestamp {
    serde_json::from_value(event["at"].clone()).expect("a time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_fails_ends_its_run_at_once_with_the_cause() {
    let caller = Caller::of(&PRODUCT.base);
    let run = ended(&caller, &drill(&caller, "fail", 0).await).await;
    assert_eq!((&run["runtimeStatus"], &run["phase"], &run["attempt"]), (&json!("Failed"), &json!("build"), &json!(1)));
    assert_eq!(run["failure"]["code"], "drill_failure");
    assert!(events(&run, "retrying").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_fails_for_now_is_tried_again_after_longer_and_longer_pauses_and_then_given_up() {
    let caller = Caller::of(&PRODUCT.base);
    let run = ended(&caller, &drill(&caller, "flake", 0).await).await;
    assert_eq!((&run["runtimeStatus"], &run["attempt"]), (&json!("Failed"), &json!(3)), "{run:#}");
    assert_eq!(run["failure"]["code"], "drill_flake");
    let retrying = events(&run, "retrying");
    assert_eq!(retrying.len(), 2);
    let first = at(&retrying[1]).since(at(&retrying[0]));
    let second = at(&events(&run, "failed")[0]).since(at(&retrying[1]));
    assert!(first.as_millis() >= 1_000 && second.as_millis() >= 2_000, "{first:?} {second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_panics_is_tried_again_and_takes_nobody_with_it() {
    let caller = Caller::of(&PRODUCT.base);
    let handler = external_host().is_none().then(|| PRODUCT.handler());
    let bystander = drill(&caller, "block", 0).await;
    until_blocked(&caller, &bystander).await;
    let run = ended(&caller, &drill(&caller, "panic", 0).await).await;
    assert_eq!((&run["runtimeStatus"], &run["attempt"]), (&json!("Failed"), &json!(3)), "{run:#}");
    assert_eq!(run["failure"]["code"], "phase_panicked");
    assert_eq!(PRODUCT.count(&["the drill asked phase build to panic"]), 3, "each panic is told, in one line");
    assert!(!PRODUCT.said().contains("the handler ended"));
    assert_eq!(external_host().is_none().then(|| PRODUCT.handler()), handler);

    assert_eq!(caller.post(&format!("/api/probe/{bystander}/release"), &json!({})).await.0, 202);
    assert_eq!(ended(&caller, &bystander).await["runtimeStatus"], "Completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_phase_goes_on_when_it_is_released_and_not_before() {
    let caller = Caller::of(&PRODUCT.base);
    let id = drill(&caller, "block", 0).await;
    until_blocked(&caller, &id).await;
    let (_, run) = caller.get(&format!("/api/runs/{id}")).await;
    assert_eq!((&run["runtimeStatus"], &run["why"]["kind"]), (&json!("Running"), &json!("condition")), "{run:#}");
    assert!(lock(&id).await.is_some());
    let (status, _) = caller.post(&format!("/api/probe/{id}/release"), &json!({})).await;
    assert_eq!(status, 202);
    let run = ended(&caller, &id).await;
    assert_eq!(run["output"]["phases"], json!(["prepare", "build", "deploy", "verify"]));
    assert_eq!(events(&run, "signalled").len(), 1);

    let (status, refused) = caller.post(&format!("/api/probe/{id}/release"), &json!({})).await;
    assert_eq!((status, &refused["code"]), (410, &json!("run_ended")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phase_that_waits_comes_back_when_its_time_has_come() {
    let caller = Caller::of(&PRODUCT.base);
    let run = ended(&caller, &drill(&caller, "wait", 1).await).await;
    assert_eq!((&run["runtimeStatus"], &run["attempt"]), (&json!("Completed"), &json!(1)), "{run:#}");
    let (waiting, entered) = (events(&run, "waiting"), events(&run, "entered"));
    assert_eq!(waiting.len(), 1);
    let next = entered.iter().find(|event| event["phase"] == "deploy").expect("the phase after it");
    assert!(at(next).since(at(&waiting[0])).as_millis() >= 1_000, "{run:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_run_can_be_terminated_and_is_not_to_be_woken_again() {
    let caller = Caller::of(&PRODUCT.base);
    let id = drill(&caller, "block", 0).await;
    until_blocked(&caller, &id).await;
    let terminate = format!("/api/runs/{id}/terminate?reason=enough%20of%20it");
    assert_eq!(caller.post(&terminate, &json!({})).await.0, 202);
    let run = ended(&caller, &id).await;
    assert_eq!((&run["runtimeStatus"], &run["cancel"]["reason"]), (&json!("Terminated"), &json!("enough of it")));
    for path in [terminate, format!("/api/probe/{id}/release")] {
        let (status, refused) = caller.post(&path, &json!({})).await;
        assert_eq!((status, &refused["code"]), (410, &json!("run_ended")), "{path}");
    }
    let (_, later) = caller.get(&format!("/api/runs/{id}")).await;
    assert_eq!(later["seq"], run["seq"]);
}
