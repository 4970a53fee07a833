//! Every operation of an upgrade, on storage as on what it calls outside, fails, is not answered, stalls and kills its
//! caller; every message comes twice.

mod support;

use std::time::Duration;

use serde_json::json;
use support::app::{AppHabits, Fate};
use support::builder::{Habits, UNRELEASED};
use support::every_step::{Case, Tell, for_every_storage_operation};
use support::platform::Platform;
use support::probe::{SUCCEEDED, end};
use support::upgraded::{breaches, state};
use support::world::{Injector, World};
use windlass::azure::container_apps::RevisionMode;
use windlass::engine::Registry;
use windlass::model::End;
use windlass::pipelines::upgrade::RolloutSettings;
use windlass::pipelines::upgrade::rollout::Strategy;

/// Builds that are over after a few looks.
const SHORT: Habits = Habits {
    components: &["api", "frontend"],
    poll: Duration::from_secs(10),
    seed: 7,
    fetch: Duration::from_secs(5),
    queue: Duration::from_secs(5),
    build: Duration::from_secs(25),
    lag: Duration::from_secs(5),
    lines: 8,
    broken: None,
    failing: 0,
    stuck: 0,
};

/// An app that nobody asks anything of: the images are all that is wanted.
fn untouched() -> AppHabits {
    AppHabits {
        seed: 7,
        settings: RolloutSettings { strategy: Strategy::BuildOnly, ..RolloutSettings::default() },
        mode: RevisionMode::Single,
        fates: &[Fate::Well],
        relapsing: 0,
        operation: Duration::ZERO,
        ready: Duration::ZERO,
        stands: Duration::ZERO,
        untold: 0,
        forbidden: 0,
    }
}

/// Has the upgrade at every step; it must come to one of these ends.
fn upgrade_stands(habits: &Habits, version: &str, told: Option<Tell>, ends: &[(End, Option<&str>)]) {
    let input = json!({"target_version": version});
    let case = Case { told, ..Case::of("upgrade", "platform", input) };
    let set_up = |injector: &Injector| {
        let platform = Platform::new(injector, habits.clone(), untouched());
        (Registry::new(platform.pipelines()), platform)
    };
    let worlds = for_every_storage_operation(set_up, &case, |world: &World, run, platform| {
        let came = (end(run), run.failure.as_ref().map(|failure| failure.code.as_str()));
        assert!(ends.contains(&came), "{came:?}");
        assert_eq!(breaches(world, run, platform), Vec::<String>::new());
        if world.trace().iter().all(|each| each.struck.is_none()) {
            let begun = platform.builder.look(|registered| registered.builds.len());
            assert_eq!(begun, state(run).builds.values().filter(|build| build.run_id.is_some()).count());
        }
    });
    assert!(worlds > 90, "{worlds} worlds are not every step");
}

#[test]
fn an_upgrade_comes_to_its_images_whatever_is_struck() {
    upgrade_stands(&SHORT, "1.2.3", None, &[(SUCCEEDED, None)]);
}

#[test]
fn a_failing_build_keeps_its_cause_and_its_log_whatever_is_struck() {
    for seed in 1..=3 {
        let failing = Habits { broken: Some("frontend"), seed, ..SHORT };
        upgrade_stands(&failing, "1.2.3", None, &[(End::Failed, Some("build_failed"))]);
    }
}

#[test]
fn a_cancelled_upgrade_leaves_no_build_whatever_is_struck() {
    let long = Habits { build: Duration::from_secs(600), lines: 30, ..SHORT };
    let ends = [(End::Terminated, None)];
    for after in [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(40)] {
        upgrade_stands(&long, "1.2.3", Some(Tell::Cancel { after }), &ends);
    }
}

#[test]
fn a_version_that_is_not_there_leaves_nothing_whatever_is_struck() {
    upgrade_stands(&SHORT, UNRELEASED, None, &[(End::Failed, Some("git_tag_not_found"))]);
}

#[test]
fn a_build_that_never_begins_ends_with_its_phase_whatever_is_struck() {
    let stuck = Habits { stuck: 1000, components: &["api"], poll: Duration::from_secs(60), ..SHORT };
    upgrade_stands(&stuck, "1.2.3", None, &[(End::Failed, Some("phase_overdue"))]);
}
