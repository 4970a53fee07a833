//! Runs that were left in mid-phase go on with the tickets that they were left with.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use windlass::azure::container_apps::RevisionMode;
use windlass::engine::ports::{Stored, Version};
use windlass::engine::{Registry, StartError, StartRequest};
use windlass::model::{Run, Timestamp};
use windlass::pipelines::probe;
use windlass::pipelines::upgrade::RolloutSettings;
use windlass::pipelines::upgrade::rollout::{ApprovalSignal, Strategy};

use crate::shelf::Shelf;
use crate::support::app::{AppHabits, Fate};
use crate::support::builder::Habits;
use crate::support::platform::Platform;
use crate::support::probe::{SUCCEEDED, end};
use crate::support::world::{Chaos, Message, World, in_virtual_time};
use crate::{fixture, fixtures};

/// Builds and an app as good as any: they know nothing of what the earlier version had done to its own.
const BUILDS: Habits = Habits {
    components: &["api", "frontend", "terminal"],
    poll: Duration::from_secs(10),
    seed: 7,
    fetch: Duration::from_secs(1),
    queue: Duration::ZERO,
    build: Duration::from_secs(20),
    lag: Duration::ZERO,
    lines: 5,
    broken: None,
    failing: 0,
    stuck: 0,
};

fn rollouts() -> AppHabits {
    AppHabits {
        seed: 7,
        settings: RolloutSettings { strategy: Strategy::InPlace, ..RolloutSettings::default() },
        mode: RevisionMode::Single,
        fates: &[Fate::Well],
        relapsing: 0,
        operation: Duration::from_secs(20),
        ready: Duration::from_secs(20),
        stands: Duration::from_secs(20),
        untold: 0,
        forbidden: 0,
    }
}

/// A world in which this version finds what another has left, at the moment at which it was left.
pub async fn found(shelf: &Shelf) -> World {
    let (world, ()) = World::made(1, Chaos::none(), |injector| {
        let upgrades = Platform::new(injector, BUILDS, rollouts()).pipelines();
        (Registry::new([vec![probe::pipeline()], upgrades].concat()), ())
    });
    sleep(shelf.taken_at().since(world.now())).await;
    put(&world, shelf);
    world
}

fn put(world: &World, shelf: &Shelf) {
    let visible_at = world.now();
    let mut tables = world.tables.lock().expect("never poisoned");
    for (partition, key, record) in shelf.each() {
        let version = Version(tables.fresh().to_string());
        let row = Stored { version, record: record.clone(), flaw: None };
        tables.rows.insert((partition.to_owned(), key.to_owned()), row);
    }
    for (queue, text) in shelf.messages.iter().flat_map(|(queue, all)| all.iter().map(move |text| (queue, text))) {
        let (id, queue, text) = (tables.fresh(), queue.clone(), text.clone());
        tables.messages.push(Message { id, queue, text, visible_at, dequeued: 0, receipt: 0, copy: false });
    }
    tables.segments = shelf.segments.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
    tables.live = shelf.runs().iter().filter(|run| !run.is_ended()).count();
}

fn left(shelf: &Shelf) -> Vec<Run> {
    shelf.runs().into_iter().filter(|run| !run.is_ended()).collect()
}

/// What a person would have to say before the run goes on.
async fn let_go(world: &World, run: &Run) {
    let plan_hash = run.state["approval"]["plan_hash"].as_str().map(str::to_owned);
    if let Some(plan_hash) = plan_hash.filter(|_| run.phase == "approving") {
        let given = ApprovalSignal { by: "somebody".into(), plan_hash, at: Timestamp::from_millis(0) };
        world.engine("client").signal(&run.id, "approve", json!(given)).await.expect("it is told");
    }
    if run.input["drill"]["action"] == "block" {
        world.engine("client").signal(&run.id, probe::RELEASE, json!(true)).await.expect("it is told");
    }
}

#[test]
fn every_run_that_was_left_goes_on_to_its_end_and_breaks_no_promise() {
    let mut phases = Vec::new();
    for (name, shelf) in fixtures() {
        in_virtual_time(async {
            let world = found(&shelf).await;
            for run in left(&shelf) {
                phases.push(format!("{}/{}", run.pipeline, run.phase));
                let_go(&world, &run).await;
            }
            world.settle().await;
            for run in left(&shelf) {
                let ended = world.stored(&run.id);
                assert!(ended.is_ended() && ended.events > run.events, "{name}: {ended:#?}");
                let events = world.history(&run.id).await;
                assert_eq!(ended.breach(&events), None, "{name}");
            }
        });
    }
    for phase in
        ["fetching", "building", "approving", "patching", "rolling-out", "validating", "confirming", "rolling-back"]
    {
        assert!(phases.contains(&format!("upgrade/{phase}")), "no upgrade was left in {phase}: {phases:?}");
    }
}

#[test]
fn every_run_that_was_left_is_taken_up_by_the_ticket_that_it_was_left_with_without_any_sweep() {
    for (name, shelf) in fixtures() {
        for run in left(&shelf) {
            in_virtual_time(async {
                let world = found(&shelf).await;
                assert!(world.messages().iter().all(|message| !message.text.contains("schema")), "{name}");
                let due = run.next_wake_at().expect("it has not ended");
                sleep(due.since(world.now()) + Duration::from_secs(5)).await;
                // Whoever died between its commit and its hand-over has left the ticket before, which brings the next.
                let moved = |world: &World| world.stored(&run.id).progress != run.progress;
                for _ in 0..4 * shelf.messages.values().flatten().count() {
                    if moved(&world) || world.messages().is_empty() {
                        break;
                    }
                    world.step().await;
                }
                assert!(moved(&world), "{name}: {:#?} {:#?}", world.stored(&run.id), world.messages());
            });
        }
    }
}

#[test]
fn probes_that_were_left_succeed_with_every_line_said_once() {
    in_virtual_time(async {
        let shelf = fixture("probes-left");
        let world = found(&shelf).await;
        let runs = left(&shelf);
        assert!(runs.len() > 2, "{runs:#?}");
        for run in &runs {
            let_go(&world, run).await;
        }
        world.settle().await;
        for run in runs.iter().filter(|run| run.input["drill"]["action"] != "flake") {
            let ended = world.stored(&run.id);
            assert_eq!(end(&ended), SUCCEEDED, "{ended:#?}");
            let log = world.log(&ended, probe::SPEC.logs, probe::LOG);
            let said: Vec<_> = log.lines().filter_map(|line| line.split(':').next()).collect();
            assert_eq!(said, crate::support::probe::PHASES);
        }
    });
}

#[test]
fn a_key_that_the_earlier_version_took_stands_for_the_run_that_it_started() {
    in_virtual_time(async {
        let shelf = fixture("upgrade-approving");
        let world = found(&shelf).await;
        let run = left(&shelf).remove(0);
        let asked = |input: serde_json::Value| StartRequest {
            pipeline: "upgrade",
            scope: run.scope.clone(),
            input,
            started_by: run.started_by.clone(),
            idempotency_key: Some("the-upgrade".into()),
        };
        let again = world.ask(asked(run.input.clone())).await.expect("it lives").expect("the same run");
        assert!(again.replayed && again.run.id == run.id);
        let other = world.ask(asked(json!({"target_version": "9.9.9"}))).await.expect("it lives");
        assert!(matches!(other, Err(StartError::KeyReused(id)) if id == run.id));
    });
}
