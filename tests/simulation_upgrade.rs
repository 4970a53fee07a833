//! Upgrades beside probes in worlds where storage, the repository and the registry all go wrong.
//!
//! `WINDLASS_SEEDS=100000` sets how many worlds there are, `WINDLASS_SEED=17` replays one of them.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::app::{AppHabits, Fate};
use support::builder::{Habits, UNRELEASED};
use support::platform::Platform;
use support::probe::{PHASES, SUCCEEDED, end, said};
use support::upgraded::breaches;
use support::world::{Chaos, Operation, World, in_virtual_time, live, request, with_key};
use windlass::engine::{Engine, Registry};
use windlass::model::{Progress, RunId};
use windlass::pipelines::{probe, upgrade};

const COMPONENTS: [&[&str]; 3] = [&["api", "frontend", "terminal"], &["api", "frontend"], &["api"]];

fn habits(seed: u64, random: &mut fastrand::Rng) -> Habits {
    let seconds = |of: [u64; 3], random: &mut fastrand::Rng| Duration::from_secs(of[random.usize(..3)]);
    Habits {
        components: COMPONENTS[random.usize(..3)],
        poll: seconds([2, 5, 20], random),
        seed,
        // The slowest is slower than a delivery, and slower than the fetch may be.
        fetch: seconds([5, 60, 400], random),
        queue: seconds([1, 20, 300], random),
        build: seconds([1, 60, 500], random),
        lag: seconds([0, 5, 20], random),
        lines: [3, 20, 60][random.usize(..3)],
        broken: None,
        failing: [0, 0, 200][random.usize(..3)],
        stuck: [0, 0, 30][random.usize(..3)],
    }
}

/// What came of a world.
#[derive(PartialEq, Debug)]
struct Came {
    breaches: Vec<String>,
    trace: Vec<Operation>,
    succeeded: usize,
}

/// Asks with a key, again and again until there is an answer or the platform has been busy for too long.
async fn start(engine: &Engine, pipeline: &'static str, scope: &str, key: &str, input: &Value) -> Option<RunId> {
    for _ in 0..40 {
        let request = with_key(key, request(pipeline, scope, input.clone()));
        if let Some(Ok(started)) = live(engine.start(request)).await {
            return Some(started.run.id);
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    None
}

async fn upgrades(engine: &Engine, mut random: fastrand::Rng) {
    for version in ["1.2.3", "1.2.4"] {
        let version = if random.usize(..10) == 0 { UNRELEASED } else { version };
        let Some(id) = start(engine, "upgrade", "platform", version, &json!({"target_version": version})).await else {
            continue;
        };
        if random.usize(..3) == 0 {
            let longest = [1, 5_000, 120_000, 900_000][random.usize(..4)];
            tokio::time::sleep(Duration::from_millis(random.u64(..longest))).await;
            drop(live(engine.cancel(&id, "simulation", "a drill")).await);
        }
    }
}

async fn probes(engine: &Engine, mut random: fastrand::Rng) {
    for key in ["one", "two"] {
        start(engine, "probe", "probe:1", key, &json!({})).await;
        tokio::time::sleep(Duration::from_secs(random.u64(..90))).await;
    }
}

async fn world(seed: u64) -> Came {
    let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xfade);
    let habits = habits(seed, &mut random);
    let rollouts = AppHabits {
        seed: 7,
        settings: windlass::pipelines::upgrade::RolloutSettings {
            strategy: windlass::pipelines::upgrade::rollout::Strategy::BuildOnly,
            ..Default::default()
        },
        mode: windlass::azure::container_apps::RevisionMode::Single,
        fates: &[Fate::Well],
        relapsing: 0,
        operation: Duration::ZERO,
        ready: Duration::ZERO,
        stands: Duration::ZERO,
        untold: 0,
        forbidden: 0,
    };
    let (world, platform) = World::made(seed, Chaos::seeded(seed), |injector| {
        let platform = Platform::new(injector, habits, rollouts);
        let mut pipelines = platform.pipelines();
        pipelines.push(probe::pipeline());
        (Registry::new(pipelines), platform)
    });
    world.tables.lock().expect("never poisoned").blocks = [0, 1, 2][random.usize(..3)];
    let engine = world.engine("client");
    let story = async {
        tokio::join!(upgrades(&engine, random.fork()), probes(&engine, random.fork()));
    };
    world.play(World::LONGEST, story).await;
    world.calm();
    // Whatever the chaos left behind is tidied up by the sweep and the last messages.
    world.turn(World::LONGEST).await;
    let mut found = world.verify();
    let mut succeeded = 0;
    for run in world.runs() {
        if run.pipeline == upgrade::SPEC.name {
            found.extend(breaches(&world, &run, &platform));
            succeeded += usize::from(matches!(run.progress, Progress::Ended { end, .. } if end == SUCCEEDED));
        } else if end(&run) == SUCCEEDED && said(&world, &run) != PHASES {
            found.push(format!("I6: {} says {:?}", run.id, said(&world, &run)));
        }
    }
    Came { breaches: found, trace: world.trace(), succeeded }
}

#[test]
fn no_upgrade_loses_a_line_or_a_build_whatever_fails_dies_or_comes_late() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, count) = match number("WINDLASS_SEED") {
        Some(seed) => (seed, 1),
        None => (1, number("WINDLASS_SEEDS").unwrap_or(1_000)),
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let came: Vec<(u64, Came)> = std::thread::scope(|scope| {
        let shares: Vec<_> = (0..threads)
            .map(|share| {
                scope.spawn(move || {
                    let seeds = (first + share..first + count).step_by(usize::try_from(threads).unwrap_or(1));
                    let came = seeds.map(|seed| (seed, in_virtual_time(world(seed))));
                    // What was done in a hundred thousand worlds is more than anybody can keep.
                    came.map(|(seed, came)| (seed, Came { trace: Vec::new(), ..came })).collect::<Vec<_>>()
                })
            })
            .collect();
        shares.into_iter().flat_map(|share| share.join().expect("a world may break, its thread may not")).collect()
    });
    let broken: Vec<_> = came.iter().filter(|(_, came)| !came.breaches.is_empty()).collect();
    for (seed, came) in broken.iter().take(5) {
        println!("seed {seed}: {}", came.breaches.join("; "));
        println!("  replay: WINDLASS_SEED={seed} cargo test --test simulation_upgrade");
    }
    assert!(broken.is_empty(), "{} worlds broke a promise", broken.len());
    let succeeded: usize = came.iter().map(|(_, came)| came.succeeded).sum();
    println!("{count} worlds with {succeeded} upgrades that succeeded, every promise kept");
    assert!(count < 100 || succeeded as u64 > count / 2, "hardly any upgrade succeeds");
}

#[test]
fn the_same_seed_makes_the_same_world_operation_by_operation() {
    for seed in 1..=20 {
        let (once, again) = (in_virtual_time(world(seed)), in_virtual_time(world(seed)));
        assert!(once.trace.len() > 20, "seed {seed} did nothing");
        assert_eq!(once, again, "seed {seed}");
    }
}
