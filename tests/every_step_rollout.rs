//! Every operation of a rollout and of the way back, on storage as on the app and the registry, fails, is not answered,
//! stalls and kills its caller; every message comes twice.
//!
//! The builds before a rollout are struck in `every_step_upgrade`; here they are one short build, and what is struck
//! begins with the first look at the app.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::app::{AppHabits, Fate};
use support::builder::{BEFORE, Habits};
use support::every_step::{Case, Tell, for_every_storage_operation};
use support::platform::Platform;
use support::probe::{SUCCEEDED, end};
use support::rolled::{left, serving_version};
use support::upgraded::breaches;
use support::world::{Injector, World};
use windlass::azure::container_apps::RevisionMode;
use windlass::engine::Registry;
use windlass::model::{End, Run, Timestamp, Verdict};
use windlass::pipelines::upgrade::RolloutSettings;
use windlass::pipelines::upgrade::rollout::{ApprovalSignal, Strategy, WordSignal};

const AFTER: &str = "1.2.3";
const FAILED: End = End::Completed(Verdict::Failed);

/// One build that is over at the first look.
const BUILDS: Habits = Habits {
    components: &["api"],
    poll: Duration::from_secs(10),
    seed: 7,
    fetch: Duration::from_secs(1),
    queue: Duration::ZERO,
    build: Duration::ZERO,
    lag: Duration::ZERO,
    lines: 2,
    broken: None,
    failing: 0,
    stuck: 0,
};

/// What a rollout waits for is over after a look or two.
fn rollouts(strategy: Strategy, fates: &'static [Fate]) -> AppHabits {
    let seconds = Duration::from_secs;
    let settings = RolloutSettings {
        strategy,
        poll: seconds(20),
        rollout: seconds(120),
        grace: seconds(10),
        validate: seconds(300),
        confirm: seconds(60),
        verdict: seconds(120),
        ..RolloutSettings::default()
    };
    let mode = if strategy == Strategy::InPlace { RevisionMode::Single } else { RevisionMode::Multiple };
    AppHabits {
        seed: 7,
        settings,
        mode,
        fates,
        relapsing: 0,
        operation: seconds(20),
        ready: seconds(20),
        stands: seconds(20),
        untold: 0,
        forbidden: 0,
    }
}

/// A rollout that is under way for longer than any fault keeps somebody from speaking.
fn never_ready(strategy: Strategy) -> AppHabits {
    let mut slow = rollouts(strategy, &[Fate::NeverReady]);
    (slow.settings.poll, slow.settings.rollout) = (Duration::from_secs(60), Duration::from_secs(500));
    slow
}

fn rollout() -> Case {
    Case {
        struck_from: "outside app",
        upon: "outside update",
        ..Case::of("upgrade", "platform", json!({"target_version": AFTER}))
    }
}

/// The word that asks a rollout to go back.
fn back(after: Duration) -> Tell {
    let word = WordSignal {
        by: "somebody".into(),
        reason: "a drill".into(),
        go: false,
        key: None,
        at: Timestamp::from_millis(0),
    };
    Tell::Signal { after, name: "rollback", value: serde_json::to_value(word).expect("a signal") }
}

/// Has it at every step; it must come to one of these ends, each with its failure's code and the version that serves.
fn stands(rollouts: &AppHabits, case: &Case, ends: &[(End, &str, &str)]) {
    let set_up = |injector: &Injector| {
        let platform = Platform::new(injector, BUILDS, rollouts.clone());
        (Registry::new(platform.pipelines()), platform)
    };
    let worlds = for_every_storage_operation(set_up, case, |world: &World, run, platform| {
        let code = run.failure.as_ref().map_or("", |failure| failure.code.as_str());
        let version = platform.app.look(|deployed| serving_version(deployed, world.now()));
        let broken: Vec<String> = world.runs().iter().flat_map(|run| breaches(world, run, platform)).collect();
        assert_eq!(broken, Vec::<String>::new());
        assert_eq!(left(world, &platform.app), Vec::<String>::new());
        assert!(ends.contains(&(end(run), code, &version)), "{:?} {:?} {version}", end(run), run.failure);
    });
    assert!(worlds > 90, "{worlds} worlds are not every step");
}

#[test]
fn a_revision_takes_over_in_place_whatever_is_struck() {
    stands(&rollouts(Strategy::InPlace, &[Fate::Well]), &rollout(), &[(SUCCEEDED, "", AFTER)]);
}

#[test]
fn a_sick_revision_goes_back_by_itself_whatever_is_struck() {
    let crashes = rollouts(Strategy::InPlace, &[Fate::Crashes]);
    stands(&crashes, &rollout(), &[(FAILED, "revision_unhealthy", BEFORE)]);
}

#[test]
fn a_proved_revision_gets_the_traffic_whatever_is_struck() {
    stands(&rollouts(Strategy::BlueGreen, &[Fate::Well]), &rollout(), &[(SUCCEEDED, "", AFTER)]);
}

#[test]
fn a_revision_that_traffic_makes_sick_loses_it_whatever_is_struck() {
    let degrades = rollouts(Strategy::BlueGreen, &[Fate::Degrades]);
    stands(&degrades, &rollout(), &[(FAILED, "revision_unhealthy", BEFORE)]);
}

#[test]
fn an_approved_plan_is_carried_out_whatever_is_struck() {
    fn approval(run: &Run) -> Option<Value> {
        let plan_hash = run.state["approval"]["plan_hash"].as_str()?.to_owned();
        let given = ApprovalSignal { by: "somebody else".to_owned(), plan_hash, at: Timestamp::from_millis(0) };
        serde_json::to_value(given).ok()
    }
    let mut gated = rollouts(Strategy::InPlace, &[Fate::Well]);
    gated.settings.approval = Some(Duration::from_secs(600));
    let told = Some(Tell::Answer { name: "approve", value: approval });
    stands(&gated, &Case { told, upon: "", ..rollout() }, &[(SUCCEEDED, "", AFTER)]);
}

#[test]
fn a_cancelled_rollout_is_undone_whatever_is_struck() {
    let told = Some(Tell::Cancel { after: Duration::from_secs(5) });
    stands(&never_ready(Strategy::InPlace), &Case { told, ..rollout() }, &[(FAILED, "cancelled", BEFORE)]);
}

#[test]
fn a_rollout_that_is_asked_to_go_back_does_whatever_is_struck() {
    let told = Some(back(Duration::from_secs(5)));
    for strategy in [Strategy::InPlace, Strategy::BlueGreen] {
        stands(
            &never_ready(strategy),
            &Case { told: told.clone(), ..rollout() },
            &[(FAILED, "rollback_requested", BEFORE)],
        );
    }
}

#[test]
fn traffic_on_its_way_when_a_run_is_cancelled_stays_back_whatever_is_struck() {
    let mut watched = rollouts(Strategy::BlueGreen, &[Fate::Well]);
    (watched.settings.poll, watched.settings.confirm) = (Duration::from_secs(60), Duration::from_secs(200));
    // The third good answer moves the traffic.
    let told = Some(Tell::Cancel { after: Duration::from_secs(125) });
    let case = Case { told, upon: "outside ask", struck_from: "outside ask", ..rollout() };
    stands(&watched, &case, &[(FAILED, "cancelled", BEFORE)]);
}

#[test]
fn a_rollback_by_call_brings_back_what_was_whatever_is_struck() {
    fn input(run: &Run) -> Value {
        json!({"job_id": run.id, "reason": "a drill"})
    }
    for strategy in [Strategy::InPlace, Strategy::BlueGreen] {
        let case = Case { then: Some(("rollback", input)), struck_from: "", ..rollout() };
        stands(&rollouts(strategy, &[Fate::Well]), &case, &[(SUCCEEDED, "", BEFORE)]);
    }
}

#[test]
fn what_never_became_ready_is_not_gone_back_to_whatever_is_struck() {
    fn next(_: &Run) -> Value {
        json!({"target_version": "1.2.4"})
    }
    fn back(run: &Run) -> Value {
        json!({"job_id": run.id})
    }
    // Nobody has undone the first: its template is still the app's, and what served before it still serves.
    let mut left = rollouts(Strategy::InPlace, &[Fate::Crashes]);
    left.settings.auto_rollback = false;
    let case = Case { then: Some(("upgrade", next)), ..rollout() };
    stands(&left, &case, &[(End::Failed, "revision_unhealthy", BEFORE)]);
    let case = Case { then: Some(("rollback", back)), struck_from: "", ..rollout() };
    stands(&left, &case, &[(SUCCEEDED, "", BEFORE)]);
}
