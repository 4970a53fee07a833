//! I7: external effects are at least once, and idempotent by a deterministic name, or observed before they are repeated.

use serde_json::Value;

use crate::support::effects::{LOG, SPEC, registry};
use crate::support::outside::Outside;
use crate::support::probe::{SUCCEEDED, end};
use crate::support::world::{Chaos, Mode, World, in_virtual_time, request};

/// Has a run in a world of its own, with a fault armed, and hands over what there was outside.
fn run_with(fault: Option<(&'static str, u32, Mode)>, look: impl FnOnce(&Outside, &str, &str)) {
    in_virtual_time(async {
        let (world, outside) = World::made(1, Chaos::none(), |injector| {
            let outside = Outside::new(injector);
            (registry(&outside), outside)
        });
        let run = world.start(request(SPEC.name, "effects:1", Value::Null)).await;
        if let Some((operation, nth, mode)) = fault {
            world.arm_nth(operation, nth, mode);
        }
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!(end(&run), SUCCEEDED);
        look(&outside, &run.id.to_string(), &world.log(&run, SPEC.logs, LOG));
    });
}

#[test]
fn i7_without_a_fault_every_effect_happens_once() {
    run_with(None, |outside, id, log| {
        assert_eq!(log, "named\nobserved\nstarted\ndone\n");
        outside.effects(|effects| {
            assert_eq!(effects.things[&format!("thing-{id}")].0, 1);
            let tags: Vec<&str> = effects.jobs.iter().map(|job| job.tag.as_str()).collect();
            assert_eq!(tags, [format!("observed-{id}"), format!("tracked-{id}")]);
        });
    });
}

#[test]
fn i7_an_effect_happens_at_least_once_and_leaves_one_thing_whatever_becomes_of_the_call() {
    for mode in Mode::ALL {
        for operation in ["outside put", "outside find", "outside start observed"] {
            run_with(Some((operation, 1, mode)), |outside, id, _| {
                outside.effects(|effects| {
                    let things: Vec<&String> = effects.things.keys().collect();
                    assert_eq!(things, [&format!("thing-{id}")]);
                    let observed = effects.jobs.iter().filter(|job| job.tag == format!("observed-{id}")).count();
                    assert_eq!(observed, 1, "{operation} {mode:?}");
                });
            });
        }
    }
}

#[test]
fn i7_an_id_that_was_checkpointed_is_the_one_that_is_waited_for_whatever_becomes_of_the_waiting() {
    for mode in Mode::ALL {
        // Six claims and commits, the checkpoint among them, and the looks at the job.
        let writes = (6..=9).map(|nth| ("transact run:", nth));
        for (operation, nth) in writes.chain([("outside ask", 1), ("outside ask", 2), ("append", 3)]) {
            run_with(Some((operation, nth, mode)), |outside, id, _| {
                outside.effects(|effects| {
                    let last = effects.jobs.len() - 1;
                    assert_eq!(effects.jobs[last].tag, format!("tracked-{id}"));
                    assert!(
                        effects.asked.iter().all(|asked| *asked == last),
                        "{operation} {nth} {mode:?}: {effects:?}"
                    );
                });
            });
        }
    }
}
