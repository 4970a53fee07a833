//! Between an effect in another system and the write that tells of it.

use serde_json::Value;

use crate::support::effects::{LOG, SPEC, registry};
use crate::support::outside::Outside;
use crate::support::probe::{SUCCEEDED, end};
use crate::support::world::{Chaos, Mode, World, in_virtual_time, request};

fn world() -> (World, Outside) {
    World::made(1, Chaos::none(), |injector| {
        let outside = Outside::new(injector);
        (registry(&outside), outside)
    })
}

/// Has a run whose worker dies after the first operation with this name, and returns what it did outside.
fn effects_after_a_death<T>(operation: &'static str, look: impl FnOnce(&Outside, &Value) -> T) -> T {
    in_virtual_time(async {
        let (world, outside) = world();
        let run = world.start(request(SPEC.name, "effects:1", Value::Null)).await;
        world.arm(operation, Mode::DieAfter);
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!(end(&run), SUCCEEDED);
        assert_eq!(world.log(&run, SPEC.logs, LOG), "named\nobserved\nstarted\ndone\n");
        look(&outside, &run.output)
    })
}

fn jobs(outside: &Outside, kind: &str) -> usize {
    outside.effects(|effects| effects.jobs.iter().filter(|job| job.tag.starts_with(kind)).count())
}

#[test]
fn crash_point_06_a_thing_with_a_deterministic_name_is_put_again_and_is_still_one() {
    effects_after_a_death("outside put", |outside, _| {
        let puts: Vec<u32> = outside.effects(|effects| effects.things.values().map(|(puts, _)| *puts).collect());
        assert_eq!(puts, [2]);
    });
}

#[test]
fn crash_point_06_an_effect_that_was_not_recorded_is_found_and_not_repeated() {
    effects_after_a_death("outside start observed", |outside, _| assert_eq!(jobs(outside, "observed"), 1));
}

#[test]
fn crash_point_06_a_job_whose_id_was_checkpointed_is_waited_for_and_not_started_again() {
    effects_after_a_death("outside ask", |outside, _| assert_eq!(jobs(outside, "tracked"), 1));
}

#[test]
fn crash_point_06_of_a_job_that_nobody_knows_only_the_next_one_is_waited_for() {
    effects_after_a_death("outside start tracked", |outside, output| {
        assert_eq!(jobs(outside, "tracked"), 2);
        let waited_for = output["job"].as_u64().expect("a job");
        outside.effects(|effects| assert!(effects.asked.iter().all(|asked| *asked as u64 == waited_for)));
    });
}
