//! Rollouts as a seed has them: apps and settings of all kinds, and people who approve, cancel, decide and go back.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::azure::container_apps::RevisionMode;
use windlass::engine::Engine;
use windlass::model::{Run, RunId, Timestamp};
use windlass::pipelines::upgrade::RolloutSettings;
use windlass::pipelines::upgrade::rollout::{ApprovalSignal, Strategy, WordSignal};

use super::app::{AppHabits, Fate};
use super::platform::Platform;
use super::rolled;
use super::world::{World, live, request, with_key};

const FATES: [&[Fate]; 4] = [
    &[Fate::Well],
    &[Fate::Well, Fate::Well, Fate::Degrades],
    &[Fate::Well, Fate::Crashes, Fate::NeverReady, Fate::Empty, Fate::Unprovisioned],
    &[Fate::Well, Fate::Degrades, Fate::Unready, Fate::Mute],
];

pub fn rollouts(seed: u64, random: &mut fastrand::Rng) -> AppHabits {
    let seconds = |of: [u64; 3], random: &mut fastrand::Rng| Duration::from_secs(of[random.usize(..3)]);
    let (strategy, mode) = [
        (Strategy::InPlace, RevisionMode::Single),
        (Strategy::InPlace, RevisionMode::Single),
        (Strategy::BlueGreen, RevisionMode::Multiple),
        (Strategy::BlueGreen, RevisionMode::Multiple),
        (Strategy::BuildOnly, RevisionMode::Single),
    ][random.usize(..5)];
    let settings = RolloutSettings {
        strategy,
        auto_rollback: random.usize(..4) > 0,
        poll: seconds([10, 20, 30], random),
        rollout: seconds([120, 300, 600], random),
        grace: seconds([10, 30, 60], random),
        validate: seconds([60, 120, 300], random),
        confirm: seconds([30, 60, 120], random),
        verdict: seconds([60, 300, 600], random),
        approval: (random.usize(..4) == 0).then(|| seconds([60, 300, 900], random)),
        ..RolloutSettings::default()
    };
    AppHabits {
        seed,
        settings,
        mode,
        fates: FATES[random.usize(..4)],
        relapsing: [0, 0, 300][random.usize(..3)],
        operation: seconds([1, 20, 120], random),
        ready: seconds([5, 60, 300], random),
        stands: seconds([20, 200, 1_000], random),
        untold: [0, 0, 500][random.usize(..3)],
        forbidden: [0, 300, 1_000][random.usize(..3)],
    }
}

/// Asks with a key, again and again until there is an answer or the platform has been busy for too long.
pub async fn start(engine: &Engine, pipeline: &'static str, scope: &str, key: &str, input: &Value) -> Option<RunId> {
    for _ in 0..40 {
        let request = with_key(key, request(pipeline, scope, input.clone()));
        if let Some(Ok(started)) = live(engine.start(request)).await {
            return Some(started.run.id);
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    None
}

/// What people do to one upgrade until it has ended.
pub async fn accompany(world: &World, engine: &Engine, id: &RunId, random: &mut fastrand::Rng) -> Option<Run> {
    const LOOK: Duration = Duration::from_secs(30);
    let mut at =
        |of: usize, longest: u64| (random.usize(..of) == 0).then(|| Duration::from_secs(random.u64(..longest)));
    let (cancel, back, verdict) = (at(8, 120).or(at(6, 1_500)), at(5, 1_500), at(2, 1_500));
    let (approve, go) = (at(1, 300).filter(|after| after.as_secs() > 50), random.bool());
    let word = |go| {
        json!(WordSignal {
            by: "people".into(),
            reason: "a drill".into(),
            go,
            key: None,
            at: Timestamp::from_millis(0)
        })
    };
    let begun = world.now();
    let mut done = [false; 4];
    loop {
        let run = world.stored(id);
        if run.is_ended() || world.now() > begun + Duration::from_secs(3 * 3_600) {
            return Some(run).filter(Run::is_ended);
        }
        let due = |after: Option<Duration>| after.is_some_and(|after| world.now() >= begun + after);
        if due(cancel) && !std::mem::replace(&mut done[0], true) {
            drop(live(engine.cancel(id, "people", "a drill")).await);
        }
        if due(back) && !std::mem::replace(&mut done[1], true) {
            drop(live(engine.signal(id, "rollback", word(false))).await);
        }
        if due(verdict) && !std::mem::replace(&mut done[2], true) {
            drop(live(engine.signal(id, "verdict", word(go))).await);
        }
        let hash = run.state["approval"]["plan_hash"].as_str().map(str::to_owned);
        if let Some(plan_hash) = hash.filter(|_| due(approve) && !done[3]) {
            done[3] = true;
            let given = ApprovalSignal { by: "people".into(), plan_hash, at: Timestamp::from_millis(0) };
            drop(live(engine.signal(id, "approve", json!(given))).await);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A call to go back after an upgrade, as far as its snapshot allows it.
pub async fn go_back(world: &World, engine: &Engine, platform: &Platform, of: &Run, random: &mut fastrand::Rng) {
    let open = rolled::snapshot(world).is_some_and(|found| found.job_id == of.id && found.rolled_back_at.is_none());
    if !open || random.usize(..2) == 0 {
        return;
    }
    if random.bool() {
        platform.app.look(|deployed| deployed.stop_idle(world.now()));
    }
    let key = format!("back-{}", of.id.name());
    start(engine, "rollback", "platform", &key, &json!({"job_id": of.id})).await;
}
