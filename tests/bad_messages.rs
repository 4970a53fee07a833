//! Messages that somebody puts straight into the queues of a storage account: none changes a run, each is taken away
//! or kept, and what is wrong with it is said on stderr.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/local.rs"]
mod local;
#[path = "support/product.rs"]
mod product;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use azurite::Azurite;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local::{Caller, Start};
use product::{Product, STDERR, Storage};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use windlass::app::SystemClock;
use windlass::engine::ports::{StoreError, Stored, TicketQueue};
use windlass::engine::{Engine, Registry, Settings, StartRequest};
use windlass::model::{Run, Scope, Ticket};
use windlass::pipelines::probe;

static PRODUCT: LazyLock<Product> = LazyLock::new(|| {
    let data = Product::folder("bad-messages");
    let start = Start { storage: Azurite::shared().account_of(&data), ..Start::embedded(&data) };
    // A message that fails shows again at once, and nobody is waited for longer than need be.
    let start = start
        .setting("AzureFunctionsJobHost__extensions__queues__visibilityTimeout", "00:00:00")
        .setting("AzureFunctionsJobHost__extensions__queues__maxPollingInterval", "00:00:00.100");
    Product::start(start)
});

/// Loses every ticket.
struct Nowhere;

#[async_trait]
impl TicketQueue for Nowhere {
    async fn send(&self, _: &str, _: &Ticket, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    async fn send_back(&self, _: &str, _: &str, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The product's own engine over its storage, but for its queues.
fn engine(storage: &Storage) -> Engine {
    let registry = Registry::new(vec![probe::pipeline()]);
    let settings = Settings { instance: "test".into(), ..Settings::default() };
    Engine::new(registry, storage.store(), Arc::new(Nowhere), storage.logs(), Arc::new(SystemClock), settings)
}

/// A run that waits for its first ticket, which was lost.
async fn stranded(storage: &Storage) -> Run {
    let request = StartRequest {
        pipeline: probe::SPEC.name,
        scope: Scope::new(format!("probe:{:016x}", fastrand::u64(..))),
        input: json!({}),
        started_by: "somebody".into(),
        idempotency_key: None,
    };
    engine(storage).start(request).await.expect("it starts").run
}

/// A run that is blocked in its phase `build`.
async fn blocked(storage: &Storage) -> Run {
    let caller = Caller::of(&PRODUCT.base);
    let drill = json!({"drill": {"phase": "build", "action": "block"}});
    let (_, started) = caller.post("/api/probe/start", &drill).await;
    let id = started["id"].as_str().expect("an id");
    caller.until(&format!("/api/probe/{id}/status"), |body| !body["custom_status"]["waiting_for"].is_null()).await;
    engine(storage).run(&id.parse().expect("an id")).await.expect("storage answers").expect("it is there")
}

async fn row(storage: &Storage, run: &Run) -> Stored {
    let key = format!("run:{}", run.id.name());
    storage.store().get(run.id.tag().as_str(), &key).await.expect("storage answers").expect("it is there")
}

async fn lock(storage: &Storage, run: &Run) -> Option<Stored> {
    storage.store().get(run.id.tag().as_str(), "lock").await.expect("storage answers")
}

async fn kept(storage: &Storage, queue: &str, message: &str) -> String {
    let digest = hex::encode(Sha256::digest(message));
    let name = format!("windlass-poison/{queue}/{digest}.txt");
    PRODUCT.says(&[STDERR, "ERROR", "not_a_ticket", queue, &digest]).await;
    let bytes = storage.logs().read(&name, 0, u64::MAX).await.expect("storage answers");
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn ticket(run: &str, phase: &str, seq: u64) -> String {
    json!({"run": run, "phase": phase, "seq": seq}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_ticket_is_kept_as_it_is_and_reported() {
    let storage = PRODUCT.storage();
    let run = blocked(&storage).await;
    let (id, before) = (run.id.to_string(), row(&storage, &run).await);
    let huge = "x".repeat(64 * 1024);
    for message in [
        "hello",
        "{",
        "null",
        "[]",
        "{}",
        "deadbeef",
        "\"\\\"",
        &json!({"run": id, "phase": "build"}).to_string(),
        &json!({"run": id, "phase": "build", "seq": run.seq, "force": true}).to_string(),
        &json!({"run": id, "phase": "build", "seq": run.seq.to_string()}).to_string(),
        &ticket("platform", "build", 1),
        &ticket("../../platform", "build", 1),
        "\u{1F4A3} <xml attribute=\"&amp;\"> ]]>",
        &huge,
    ] {
        storage.put("probe-build", message).await;
        assert_eq!(kept(&storage, "probe-build", message).await, message);
    }
    assert_eq!(row(&storage, &run).await, before);
    assert_eq!(storage.waiting("probe-build").await, Vec::<String>::new());
    assert_eq!(storage.waiting("probe-build-poison").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_message_is_reported_and_there_is_nothing_to_keep() {
    PRODUCT.storage().put("probe-verify", "").await;
    PRODUCT.says(&[STDERR, "ERROR", "not_a_ticket", "probe-verify", &hex::encode(Sha256::digest(""))]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_nobody_has_sent_is_taken_away_and_moves_nothing() {
    let storage = PRODUCT.storage();
    let run = blocked(&storage).await;
    let (id, before) = (run.id.to_string(), row(&storage, &run).await);
    let elsewhere = stranded(&storage).await;
    let unknown = "0123456789-01234567890123456789";
    for (what, queue, message, named) in [
        ("an unknown run", "probe-build", ticket(unknown, "build", 1), unknown),
        ("another phase in the right queue", "probe-build", ticket(&id, "deploy", run.seq), &id),
        ("the right ticket in another queue", "probe-deploy", ticket(&id, "build", run.seq), &id),
        ("another pipeline's queue", "upgrade-building", ticket(&id, "build", run.seq), &id),
        ("a ticket from the future", "probe-build", ticket(&id, "build", run.seq + 1), &id),
        ("a phase that there is not", "probe-build", ticket(&id, "password=pl4nted\n", run.seq), &id),
        ("the end of time", "probe-build", ticket(&id, "build", u64::MAX), &id),
    ] {
        let seen = PRODUCT.count(&[STDERR, "WARN", "unknown_ticket", queue, named]);
        storage.put(queue, &message).await;
        PRODUCT.says_once_more(&[STDERR, "WARN", "unknown_ticket", queue, named], seen).await;
        assert_eq!(row(&storage, &run).await, before, "{what}");
    }
    assert!(!PRODUCT.said().contains("pl4nted"));
    assert_eq!(engine(&storage).run(&elsewhere.id).await.expect("an answer").expect("a run").seq, elsewhere.seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_as_good_in_base64() {
    let storage = PRODUCT.storage();
    let caller = Caller::of(&PRODUCT.base);
    for encode in [str::to_owned, |text: &str| STANDARD.encode(text)] as [fn(&str) -> String; 2] {
        let run = stranded(&storage).await;
        storage.put("probe-prepare", &encode(&run.ticket().to_json())).await;
        caller.until(&format!("/api/probe/{}/status", run.id), |body| body["runtime_status"] == "Completed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_ticket_ends_its_run_and_frees_what_it_held() {
    let storage = PRODUCT.storage();
    let run = blocked(&storage).await;
    assert!(lock(&storage, &run).await.is_some());
    storage.put("probe-build-poison", &run.ticket().to_json()).await;
    let caller = Caller::of(&PRODUCT.base);
    let path = format!("/api/runs/{}", run.id);
    let ended = caller.until(&path, |body| body["why"].is_null()).await;
    assert_eq!(
        (&ended["runtimeStatus"], &ended["failure"]["code"]),
        (&json!("Failed"), &json!("poisoned")),
        "{ended:#}"
    );
    assert_eq!(ended["historyIntact"], true);
    assert!(lock(&storage, &run).await.is_none());
    PRODUCT.says(&[STDERR, "ERROR", "poisoned", "probe-build"]).await;

    // Once more, and now it is too late to matter.
    let before = row(&storage, &run).await;
    storage.put("probe-build-poison", &run.ticket().to_json()).await;
    storage.put("probe-build-poison", "a mark behind it").await;
    kept(&storage, "probe-build", "a mark behind it").await;
    assert_eq!(row(&storage, &run).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_read_is_left_as_it_is_and_its_ticket_comes_again() {
    let storage = PRODUCT.storage();
    let run = stranded(&storage).await;
    let Stored { version, mut record, .. } = row(&storage, &run).await;
    record.insert("progress".into(), Value::from("sideways"));
    let key = format!("run:{}", run.id.name());
    let breaking = windlass::engine::ports::Write::Replace { key: key.clone(), version, record };
    storage.store().transact(run.id.tag().as_str(), vec![breaking]).await.expect("it is written");
    let broken = row(&storage, &run).await;
    for queue in ["probe-prepare", "probe-prepare-poison"] {
        storage.put(queue, &run.ticket().to_json()).await;
    }
    let id = run.id.to_string();
    PRODUCT.says(&[STDERR, "WARN", "run_waits", "probe-prepare", &id]).await;
    // It came back as a message of its own, so that it is never one that was delivered too often.
    PRODUCT.says_once_more(&[STDERR, "WARN", "run_waits", "probe-prepare", &id], 1).await;
    PRODUCT
        .says(&[STDERR, "ERROR", "run_waits", "probe-prepare", &hex::encode(Sha256::digest(run.ticket().to_json()))])
        .await;
    let caller = Caller::of(&PRODUCT.base);
    let (status, told) = caller.get(&format!("/api/runs/{id}")).await;
    assert_eq!((status, &told["code"]), (503, &json!("run_unreadable")), "{told}");
    assert!(told["message"].as_str().is_some_and(|said| said.contains(&id) && said.contains("restore it")), "{told}");
    let sweep = caller.request(reqwest::Method::POST, "/admin/functions/windlass_sweep").json(&json!({}));
    assert!(sweep.send().await.expect("an answer").status().is_success());
    PRODUCT.says(&[STDERR, "ERROR", "run_unreadable", &key]).await;
    assert_eq!(row(&storage, &run).await, broken);
}
