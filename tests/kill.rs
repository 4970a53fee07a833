//! Real processes on a real storage emulator, killed at random: every run ends, every log is exact, no lock is left.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/local.rs"]
mod local;

use std::sync::Arc;
use std::time::{Duration, Instant};

use local::{Caller, Local, Start};
use windlass::app::SystemClock;
use windlass::engine::ports::RunStore;
use windlass::engine::{Engine, Registry, Settings};
use windlass::model::{RunId, Status};
use windlass::pipelines::probe;
use windlass::storage::Operations;
use windlass::storage::azure::{AzureStorage, Connection};

const RUNS: usize = 200;
const TABLE: &str = "kill";
/// While the killing goes on.
const RAGE: Duration = Duration::from_secs(45);
/// After it, whatever was struck down has to get up again.
const RECOVERY: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_runs_survive_the_killing_of_handlers_and_hosts() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let data = tempfile::tempdir().expect("a folder");
    let azurite = azurite::Azurite::shared();
    let start = Start { storage: azurite.connection_string(), port: free_port(), ..Start::embedded(data.path()) }
        .setting("WINDLASS_TABLE", TABLE)
        .setting("WINDLASS_LEASE_SECONDS", "3")
        .setting("WINDLASS_SWEEP_GRACE_SECONDS", "2")
        .setting("WINDLASS_LOG", "error");
    let first = Local::start(&start).await;
    let base = first.base.clone();
    let starting = tokio::spawn(start_all(base.clone()));
    let killed = rage(&start, first, fastrand::Rng::with_seed(seed)).await;
    println!("killed {} handlers and {} hosts", killed.handlers, killed.hosts);
    let ids = tokio::time::timeout(RECOVERY, starting).await.expect("every run is started in time");
    let ids = ids.expect("every run is started in the end");
    assert_eq!(ids.len(), RUNS);
    assert!(killed.handlers > 5 && killed.hosts > 1, "the rage was no rage");

    let connection = Connection::parse(&start.storage).expect("a connection string");
    let store = AzureStorage::new(&connection, TABLE, Operations::default()).expect("a store");
    let engine = reader(&store);
    let sweeping = tokio::spawn(keep_sweeping(base));
    wait_for_all(&engine, &ids).await;
    sweeping.abort();
    for id in &ids {
        check(&engine, &store, id).await;
    }
    killed.last.stop().await;
}

struct Killed {
    handlers: u32,
    hosts: u32,
    last: Local,
}

async fn rage(start: &Start, mut local: Local, mut random: fastrand::Rng) -> Killed {
    let begun = Instant::now();
    let (mut handlers, mut hosts) = (0, 0);
    while begun.elapsed() < RAGE {
        tokio::time::sleep(Duration::from_millis(random.u64(150..1500))).await;
        if !local.is_running() {
            local = Local::start(start).await;
        } else if random.u8(..4) == 0 {
            local.kill().await;
            hosts += 1;
            local = Local::start(start).await;
        } else if local.kill_handler() {
            handlers += 1;
        }
    }
    // A host that has seen its third crash gives up a moment later.
    tokio::time::sleep(Duration::from_secs(3)).await;
    if !local.is_running() {
        local = Local::start(start).await;
    }
    Killed { handlers, hosts, last: local }
}

/// Starts every run under a key of its own, and asks again until there is an answer.
async fn start_all(base: String) -> Vec<RunId> {
    let caller = Caller::of(&base);
    let mut ids = Vec::new();
    while ids.len() < RUNS {
        let request = caller
            .request(reqwest::Method::POST, "/api/probe/start")
            .header("Idempotency-Key", format!("kill-{}", ids.len()))
            .json(&serde_json::json!({}));
        let Ok(answer) = request.send().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let accepted = answer.status().as_u16() == 202;
        if let Ok(body) = answer.json::<serde_json::Value>().await
            && accepted
        {
            let id = body["id"].as_str().expect("an id");
            ids.push(id.parse().expect("a run id"));
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
    ids
}

/// The timer's round, more often than every 30 s.
async fn keep_sweeping(base: String) {
    let caller = Caller::of(&base);
    loop {
        let sweep = caller.request(reqwest::Method::POST, "/admin/functions/windlass_sweep");
        let _ = sweep.json(&serde_json::json!({})).send().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn reader(store: &AzureStorage) -> Engine {
    let ports = Arc::new(store.clone());
    let registry = Registry::new(vec![probe::pipeline()]);
    Engine::new(registry, ports.clone(), ports.clone(), ports, Arc::new(SystemClock), Settings::default())
}

async fn wait_for_all(engine: &Engine, ids: &[RunId]) {
    let begun = Instant::now();
    for id in ids {
        loop {
            let run = engine.run(id).await.expect("Azurite answers").expect("the run is there");
            if run.is_ended() {
                break;
            }
            assert!(begun.elapsed() < RECOVERY, "run {id} is stuck in {:?}", run.progress);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn check(engine: &Engine, store: &AzureStorage, id: &RunId) {
    let run = engine.run(id).await.expect("an answer").expect("a run");
    assert_eq!(run.status(), Status::Completed, "{id}: {:?}", run.failure);
    let log = engine.read_log(&run, probe::LOG, 0, u64::MAX).await.expect("a log");
    let log = String::from_utf8(log.to_vec()).expect("text");
    let phases: Vec<&str> = log.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(phases, ["prepare", "build", "deploy", "verify"], "{id}: {log}");
    let lock = store.get(id.tag().as_str(), "lock").await.expect("an answer");
    assert!(lock.is_none(), "{id} has left its lock");
    let mut previous = run.first_previous.clone();
    for event in engine.history(id).await.expect("a history") {
        assert!(event.follows(&previous), "{id}: event {} does not follow", event.number);
        previous = event.hash;
    }
    assert_eq!(previous, run.last_hash, "{id}");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}
