//! Two versions of the product over one storage: what an earlier one was killed over, the present one ends; and what a
//! later one has left in queues and rows waits, while everything else goes on.
//!
//! With `OLDER_VERSION=<working tree>`, whose programs are in its `target/debug`, that version really runs before the present
//! one; `tests/two_versions --from <commit>` makes the tree and does so.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/local.rs"]
mod local;
#[path = "support/product.rs"]
mod product;
#[path = "support/shelf.rs"]
mod shelf;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use local::{Caller, Local, Start};
use product::{Product, Storage};
use serde_json::{Value, json};
use shelf::Shelf;
use windlass::engine::ports::{Record, Stored, Write};
use windlass::model::{Run, RunId, Timestamp};
use windlass::storage::Operations;
use windlass::storage::embedded::Embedded;

const PHASES: [&str; 4] = ["prepare", "build", "deploy", "verify"];

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    Timestamp::from_millis(i64::try_from(since.as_millis()).expect("a time"))
}

fn quick(data: &Path) -> Start {
    let start = Start::embedded(data).setting("WINDLASS_LEASE_SECONDS", "3");
    start.setting("WINDLASS_SWEEP_GRACE_SECONDS", "2").setting("WINDLASS_LOG", "error")
}

/// The timer's round, under the names that its function has had.
async fn sweep(caller: &Caller) {
    for name in ["windlass_sweep", "windlass-sweep"] {
        let sweep = caller.request(reqwest::Method::POST, &format!("/admin/functions/{name}")).json(&json!({}));
        drop(sweep.send().await);
    }
}

/// Sweeps until the run has ended, and gives its status.
async fn ended(caller: &Caller, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let (_, body) = caller.get(&format!("/api/runs/{id}")).await;
        if body["why"].is_null() && body["runtimeStatus"].is_string() {
            return body;
        }
        assert!(begun.elapsed() < local::PATIENCE, "{body:#}");
        sweep(caller).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// It succeeded, its history holds, and its log says every phase once.
async fn assert_whole(caller: &Caller, id: &str) {
    let run = ended(caller, id).await;
    let outcome = (&run["runtimeStatus"], &run["verdict"], &run["historyIntact"]);
    assert_eq!(outcome, (&json!("Completed"), &json!("succeeded"), &json!(true)), "{run:#}");
}

fn assert_said_once(shelf: &Shelf, run: &Run) {
    let log = shelf.segments.iter().find(|(name, _)| name.contains(&run.id.to_string()));
    let (_, text) = log.unwrap_or_else(|| panic!("{} has no log", run.id));
    let committed = usize::try_from(run.logs.values().next().expect("a log").total()).expect("a length");
    let said: Vec<_> = text[..committed].lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(said, PHASES, "{}", run.id);
}

fn assert_nothing_is_held(shelf: &Shelf) {
    let locks: Vec<_> = shelf.each().filter(|(_, key, _)| *key == "lock").collect();
    assert!(locks.is_empty(), "{locks:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_was_killed_over_is_ended_by_this_one() {
    if local::external_host().is_some() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1/probes-left.json");
    let shelf = Shelf::read(&file);
    let shelf = shelf.clone().put_forward(now().since(shelf.taken_at()));
    let storage = Embedded::open(&data.path().join("storage"), Operations::default()).expect("storage");
    shelf.put_into(&storage).await;
    let left: Vec<Run> = shelf.runs().into_iter().filter(|run| !run.is_ended()).collect();
    assert!(left.len() > 2, "{left:#?}");

    let local = Local::start(&quick(data.path())).await;
    let caller = Caller::of(&local.base);
    for run in &left {
        match run.input["drill"]["action"].as_str() {
            // It is retried until nobody tries any more.
            Some("flake") => continue,
            Some("block") => drop(caller.post(&format!("/api/probe/{}/release", run.id), &json!({})).await),
            _ => {}
        }
        assert_whole(&caller, &run.id.to_string()).await;
    }
    for run in left.iter().filter(|run| run.input["drill"]["action"] == "flake") {
        caller.post(&format!("/api/runs/{}/terminate?reason=a+drill", run.id), &json!({})).await;
        assert_eq!(ended(&caller, &run.id.to_string()).await["historyIntact"], true);
    }
    local.stop().await;
    let after = Shelf::of(&data.path().join("storage"));
    assert_nothing_is_held(&after);
    for run in after.runs().iter().filter(|run| run.input["drill"]["action"] != "flake") {
        assert_said_once(&after, run);
    }
}

async fn stored(storage: &Storage, id: &RunId) -> Stored {
    let key = format!("run:{}", id.name());
    storage.store().get(id.tag().as_str(), &key).await.expect("storage answers").expect("a row")
}

/// Writes the run's row as another version does.
async fn rewrite(storage: &Storage, id: &RunId, change: impl FnOnce(&mut Record)) -> Stored {
    let Stored { version, mut record, .. } = stored(storage, id).await;
    change(&mut record);
    let write = Write::Replace { key: format!("run:{}", id.name()), version, record };
    storage.store().transact(id.tag().as_str(), vec![write]).await.expect("it is written");
    stored(storage, id).await
}

async fn start_probe(caller: &Caller, body: &Value) -> RunId {
    let (status, started) = caller.post("/api/probe/start", body).await;
    assert_eq!(status, 202, "{started}");
    started["id"].as_str().expect("an id").parse().expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_has_left_waits_while_others_go_on_and_is_ended_once_it_can_be_read() {
    let data = Product::folder("two-versions");
    let product = Product::start(quick(&data).setting("WINDLASS_LOG", "info"));
    let (storage, caller) = (product.storage(), Caller::of(&product.base));
    let drill = json!({"drill": {"phase": "build", "action": "block"}});
    let mut waiting = Vec::new();
    for (field, value) in [("schema", json!(2)), ("phase", json!("painting"))] {
        let id = start_probe(&caller, &drill).await;
        caller.until(&format!("/api/probe/{id}/status"), |body| !body["custom_status"]["waiting_for"].is_null()).await;
        let sound = stored(&storage, &id).await.record;
        let strange = rewrite(&storage, &id, |record| drop(record.insert(field.into(), value))).await;
        waiting.push((id, sound, strange));
    }
    let later = format!(r#"{{"schema":2,"run":"{}","what":["else"]}}"#, waiting[0].0);
    for queue in ["probe-build", "probe-deploy", "probe-deploy-poison"] {
        storage.put(queue, &later).await;
    }

    let plain = json!({});
    let others = futures::future::join_all((0..20).map(|_| start_probe(&caller, &plain))).await;
    for id in &others {
        assert_whole(&caller, &id.to_string()).await;
    }
    let unreadable = &waiting[0].0.to_string();
    product.says(&["run_unreadable", "or a later one"]).await;
    product.says(&["phase_unknown", &waiting[1].0.to_string()]).await;
    product.says(&["run_waits", unreadable]).await;
    let (status, told) = caller.get(&format!("/api/runs/{unreadable}")).await;
    assert_eq!((status, &told["code"]), (503, &json!("run_unreadable")), "{told}");
    assert!(
        told["message"].as_str().is_some_and(|said| said.contains(unreadable) && said.contains("schema 2")),
        "{told}"
    );
    let list = caller.request(reqwest::Method::GET, "/api/runs?top=100").send().await.expect("an answer");
    assert_eq!(list.status(), 200);
    assert_eq!(list.headers()["x-windlass-unreadable"].to_str().expect("text"), unreadable);
    let (status, strange) = caller.get(&format!("/api/runs/{}", waiting[1].0)).await;
    assert_eq!((status, &strange["phase"]), (202, &json!("painting")), "{strange}");
    for (id, _, strange) in &waiting {
        assert_eq!(stored(&storage, id).await, *strange);
    }

    for (id, sound, _) in waiting {
        rewrite(&storage, &id, |record| *record = sound).await;
        let (status, told) = caller.post(&format!("/api/probe/{id}/release"), &json!({})).await;
        assert!(status < 300, "{told}");
        assert_whole(&caller, &id.to_string()).await;
    }
}

/// Runs that the older version is killed over.
const LOAD: usize = 60;

/// Starts them under the older version and kills it, host and handler, while they run.
async fn killed_over(start: &Start) -> Vec<String> {
    let older = Local::start(start).await;
    let caller = Caller::of(&older.base);
    let mut ids = Vec::new();
    for number in 0..LOAD {
        let wait = json!({"drill": {"phase": "deploy", "action": "wait", "seconds": 5}});
        let body = if number % 3 == 0 { wait } else { json!({}) };
        ids.push(start_probe(&caller, &body).await.to_string());
    }
    older.kill_all().await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_swapped_for_another_in_mid_run_loses_none() {
    let Some(older) = std::env::var_os("OLDER_VERSION").map(PathBuf::from) else { return };
    for back in [false, true] {
        let data = tempfile::tempdir().expect("a folder");
        let present = quick(data.path());
        let versions = [Start { version: Some(older.clone()), ..quick(data.path()) }, present];
        let (first, second) = if back { (&versions[1], &versions[0]) } else { (&versions[0], &versions[1]) };
        let ids = killed_over(first).await;
        let before = Shelf::of(&data.path().join("storage"));
        let begun = Instant::now();
        let successor = Local::start(second).await;
        let caller = Caller::of(&successor.base);
        for id in &ids {
            assert_whole(&caller, id).await;
        }
        let took = begun.elapsed();
        successor.stop().await;
        let after = Shelf::of(&data.path().join("storage"));
        assert_nothing_is_held(&after);
        after.runs().iter().for_each(|run| assert_said_once(&after, run));
        let taken_over = after.each().filter(|(_, _, row)| row.get("kind") == Some(&json!("taken_over"))).count();
        let left = before.runs().iter().filter(|run| !run.is_ended()).count();
        let kept = after.segments.keys().filter(|name| name.starts_with("windlass-poison/")).count();
        println!(
            "{}: {LOAD} runs, {left} of them left in mid-run, all succeeded after {:.1} s; {taken_over} take-overs, {kept} \
             messages kept",
            if back { "back to the older version" } else { "on to this version" },
            took.as_secs_f64()
        );
    }
}
