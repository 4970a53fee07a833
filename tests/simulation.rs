//! The real engine and the real pipelines in worlds where everything goes wrong.
//!
//! `WINDLASS_SEEDS=100000` sets how many worlds there are, `WINDLASS_SEED=17` replays one of them.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::world::{Chaos, Operation, World, in_virtual_time};
use windlass::engine::{Engine, Registry, StartRequest};
use windlass::model::{End, Progress, Run, Scope, Status, Verdict};
use windlass::pipelines::probe;

fn drill(random: &mut fastrand::Rng) -> Value {
    let phase = ["prepare", "build", "deploy", "verify"][random.usize(..4)];
    match random.usize(..9) {
        0 => json!({"drill": {"phase": phase, "action": "wait", "seconds": 45}}),
        1 => json!({"drill": {"phase": phase, "action": "fail"}}),
        2 => json!({"drill": {"phase": phase, "action": "flake"}}),
        3 => json!({"drill": {"phase": phase, "action": "block"}}),
        _ => json!({}),
    }
}

/// Starts a run as an impatient client does: with a key, again and again until there is an answer.
async fn start(engine: &Engine, scope: &str, key: &str, input: &Value) -> Option<windlass::model::RunId> {
    for _ in 0..20 {
        let request = StartRequest {
            pipeline: "probe",
            scope: Scope::new(scope),
            input: input.clone(),
            started_by: "simulation".into(),
            idempotency_key: Some(key.to_owned()),
        };
        if let Some(Ok(started)) = support::world::live(engine.start(request)).await {
            return Some(started.run.id);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}

/// What came of a world.
#[derive(PartialEq, Debug)]
struct Came {
    breaches: Vec<String>,
    trace: Vec<Operation>,
}

async fn world(seed: u64) -> Came {
    let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let world = World::new(seed, Chaos::seeded(seed), Registry::new(vec![probe::pipeline()]));
    world.tables.lock().expect("never poisoned").blocks = [0, 1, 2][random.usize(..3)];
    let engine = world.engine("client");
    let inputs: Vec<Value> = (0..3).map(|_| drill(&mut random)).collect();
    let story = async {
        for (index, input) in inputs.iter().enumerate() {
            // The third run wants the scope of the first, which may be busy.
            let scope = format!("probe:{}", index % 2);
            let id = start(&engine, &scope, &format!("key-{index}"), input).await;
            let again = start(&engine, &scope, &format!("key-{index}"), input).await;
            if let (Some(first), Some(second)) = (&id, &again)
                && first != second
            {
                let breach = format!("I8: one key started {first} and {second}");
                world.tables.lock().expect("never poisoned").breaches.push(breach);
            }
            let Some(id) = id else { continue };
            // At once, while it runs, or while it waits.
            let longest = [1, 4_000, 40_000][random.usize(..3)];
            tokio::time::sleep(Duration::from_millis(random.u64(..longest))).await;
            match random.usize(..6) {
                0 => drop(support::world::live(engine.cancel(&id, "simulation", "a drill")).await),
                1 | 2 => drop(support::world::live(engine.signal(&id, probe::RELEASE, json!(true))).await),
                _ => {}
            }
        }
    };
    world.play(World::LONGEST, story).await;
    let mending = async {
        for run in world.runs().into_iter().filter(Run::is_ended) {
            // Some ask once, some insist, and whoever need not is refused.
            for _ in 0..random.usize(..4) {
                drop(support::world::live(engine.retry(&run.id, "simulation", None)).await);
            }
        }
    };
    world.play(World::LONGEST, mending).await;
    world.calm();
    // Whatever the chaos left behind is tidied up by the sweep and the last messages.
    world.turn(World::LONGEST).await;
    let mut breaches = world.verify();
    for run in world.runs() {
        breaches.extend(what_a_probe_must_show(&world, &run));
    }
    let last = world.sweep().await;
    if last.resent + last.failed > 0 || !last.breaches.is_empty() {
        breaches.push(format!("I3: in a world at rest the sweep finds {last:?}"));
    }
    Came { breaches, trace: world.trace() }
}

/// How many phases lay before the run when it began.
fn left(world: &World, run: &Run) -> usize {
    let first = run.retry_of.as_ref().map(|failed| world.stored(failed).phase);
    let phases = probe::SPEC.phases;
    phases.len() - phases.iter().position(|phase| Some(phase.name) == first.as_deref()).unwrap_or(0)
}

/// The log has one line for each phase that was done, in order, and nothing else.
fn what_a_probe_must_show(world: &World, run: &Run) -> Vec<String> {
    let mut breaches = Vec::new();
    let log = world.log(run, probe::SPEC.logs, probe::LOG);
    let phases: Vec<&str> = log.lines().filter_map(|line| line.split(':').next()).collect();
    let expected = ["prepare", "build", "deploy", "verify"];
    let complete = matches!(run.progress, Progress::Ended { end: End::Completed(Verdict::Succeeded), .. });
    let expected = &expected[expected.len() - left(world, run)..];
    if !expected.starts_with(&phases) || (complete && phases.len() != expected.len()) {
        breaches.push(format!(
            "I6: the log of {} reads {log:?} in {:?} and the run is {:?}",
            run.id, run.logs, run.progress
        ));
    }
    let done = run.state["done"].as_array().into_iter().flatten();
    let own: Vec<&str> = done.skip(4 - left(world, run)).filter_map(Value::as_str).collect();
    if own != phases {
        breaches.push(format!("I6: {} remembers {own:?}, its log says {phases:?}", run.id));
    }
    if run.status() == Status::Failed && run.failure.is_none() {
        breaches.push(format!("{} failed without a cause", run.id));
    }
    breaches
}

#[test]
fn no_world_breaks_an_invariant_whatever_fails_dies_or_comes_late() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, count) = match number("WINDLASS_SEED") {
        Some(seed) => (seed, 1),
        None => (1, number("WINDLASS_SEEDS").unwrap_or(2_000)),
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let broken: Vec<(u64, Vec<String>)> = std::thread::scope(|scope| {
        let shares: Vec<_> = (0..threads)
            .map(|share| {
                scope.spawn(move || {
                    (first + share..first + count)
                        .step_by(usize::try_from(threads).unwrap_or(1))
                        .map(|seed| (seed, in_virtual_time(world(seed)).breaches))
                        .filter(|(_, breaches)| !breaches.is_empty())
                        .take(3)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        shares.into_iter().flat_map(|share| share.join().expect("a world may break, its thread may not")).collect()
    });
    for (seed, breaches) in &broken {
        println!("seed {seed}: {}", breaches.join("; "));
        println!("  replay: WINDLASS_SEED={seed} cargo test --test simulation");
    }
    assert!(broken.is_empty(), "{} worlds broke a promise", broken.len());
    println!("{count} worlds, every invariant kept");
}

#[test]
fn the_same_seed_makes_the_same_world_operation_by_operation() {
    for seed in 1..=40 {
        let (once, again) = (in_virtual_time(world(seed)), in_virtual_time(world(seed)));
        assert!(once.trace.len() > 20, "seed {seed} did nothing");
        assert_eq!(once, again, "seed {seed}");
    }
}
