//! Upgrades beside probes in worlds where storage, the repository and the registry all go wrong.
//!
//! `WINDLASS_SEEDS=100000` sets how many worlds there are, `WINDLASS_SEED=17` replays one of them.

mod support;

use std::time::Duration;

use serde_json::json;
use support::builder::{Habits, UNRELEASED};
use support::hostile::{self, accompany, go_back, start};
use support::platform::Platform;
use support::probe::{PHASES, SUCCEEDED, end, said};
use support::rolled::left;
use support::upgraded::breaches;
use support::world::{Chaos, Injector, Operation, World, in_virtual_time};
use windlass::engine::{Engine, Registry};
use windlass::model::Progress;
use windlass::pipelines::probe;
use windlass::pipelines::upgrade::rollout::Strategy;

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
    /// Upgrades and rollbacks that came to their good end, and those that brought back what was.
    succeeded: usize,
    undone: usize,
}

async fn upgrades(world: &World, engine: &Engine, platform: &Platform, mut random: fastrand::Rng) {
    for version in ["1.2.3", "1.2.4"] {
        let version = if random.usize(..10) == 0 { UNRELEASED } else { version };
        let mut input = json!({"target_version": version});
        if random.usize(..10) == 0 {
            input["strategy"] = json!(Strategy::NAMES[random.usize(..3)]);
        }
        let Some(id) = start(engine, "upgrade", "platform", version, &input).await else { continue };
        // Most of the time somebody is there; otherwise the next one has to wait.
        if random.usize(..5) > 0
            && let Some(ended) = accompany(world, engine, &id, &mut random).await
        {
            go_back(world, engine, platform, &ended, &mut random).await;
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
    let rollouts = hostile::rollouts(seed, &mut random);
    let (world, platform) = World::made(seed, Chaos::seeded(seed), |injector| {
        let platform = Platform::new(injector, habits, rollouts);
        let mut pipelines = platform.pipelines();
        pipelines.push(probe::pipeline());
        (Registry::new(pipelines), platform)
    });
    world.tables.lock().expect("never poisoned").blocks = [0, 1, 2][random.usize(..3)];
    let engine = world.engine("client");
    let story = async {
        tokio::join!(upgrades(&world, &engine, &platform, random.fork()), probes(&engine, random.fork()));
    };
    world.play(World::LONGEST, story).await;
    world.calm();
    // Whatever the chaos left behind is tidied up by the sweep and the last messages.
    world.turn(World::LONGEST).await;
    tokio::time::sleep(Injector::LATEST).await;
    let mut found = world.verify();
    found.extend(left(&world, &platform.app));
    let (mut succeeded, mut undone) = (0, 0);
    for run in world.runs() {
        if run.pipeline != probe::SPEC.name {
            found.extend(breaches(&world, &run, &platform));
            succeeded += usize::from(matches!(run.progress, Progress::Ended { end, .. } if end == SUCCEEDED));
            undone += usize::from(run.output["outcome"] == "rolled_back");
        } else if end(&run) == SUCCEEDED && said(&world, &run) != PHASES {
            found.push(format!("I6: {} says {:?}", run.id, said(&world, &run)));
        }
    }
    Came { breaches: found, trace: world.trace(), succeeded, undone }
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
    for (seed, came) in broken.iter().take(12) {
        println!("seed {seed}: {}", came.breaches.join("; "));
        println!("  replay: WINDLASS_SEED={seed} cargo test --test simulation_upgrade");
    }
    assert!(broken.is_empty(), "{} worlds broke a promise", broken.len());
    let succeeded: usize = came.iter().map(|(_, came)| came.succeeded).sum();
    let undone: usize = came.iter().map(|(_, came)| came.undone).sum();
    println!("{count} worlds with {succeeded} upgrades that succeeded and {undone} undone, every promise kept");
    assert!(count < 100 || succeeded as u64 > count / 2, "hardly any upgrade succeeds");
    assert!(count < 100 || undone as u64 > count / 10, "hardly anything is undone");
}

#[test]
fn the_same_seed_makes_the_same_world_operation_by_operation() {
    for seed in 1..=20 {
        let (once, again) = (in_virtual_time(world(seed)), in_virtual_time(world(seed)));
        assert!(once.trace.len() > 20, "seed {seed} did nothing");
        assert_eq!(once, again, "seed {seed}");
    }
}
