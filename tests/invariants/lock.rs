//! I4: the scope's lock is held exactly while its owner run has not ended; it is released in the terminal transaction.

use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Poisoned, StartError};
use windlass::model::Run;

use crate::support::probe::{self, SCOPE};
use crate::support::world::{Came, Mode, World, drill, in_virtual_time};

/// The lock is the run's for exactly as long as it has not ended.
async fn assert_locked_by(world: &World, run: &Run) {
    let stored = world.stored(&run.id);
    let owner = (!stored.is_ended()).then(|| run.id.to_string());
    assert_eq!(world.lock_owner(SCOPE), owner, "{:?}", stored.progress);
    if owner.is_some() {
        let refused = world.ask(probe::plain()).await.expect("the handler lives").expect_err("the scope is taken");
        assert!(matches!(refused, StartError::Busy { owner, .. } if owner == run.id));
    }
}

#[test]
fn i4_the_lock_is_held_from_the_start_to_the_end_however_the_run_ends() {
    let ways: [(Value, bool); 5] = [
        (json!({}), false),
        (drill("deploy", "fail"), false),
        (drill("prepare", "flake"), false),
        (drill("build", "panic"), false),
        (drill("build", "block"), true),
    ];
    for (input, cancelled) in ways {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::drilled(input)).await;
            assert_locked_by(&world, &run).await;
            for nth in 0.. {
                if world.stored(&run.id).is_ended() {
                    break;
                }
                if cancelled && nth == 3 {
                    world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
                    assert_locked_by(&world, &run).await;
                }
                world.step().await;
                assert_locked_by(&world, &run).await;
            }
            world.start(probe::plain()).await;
            world.settle().await;
        });
    }
}

#[test]
fn i4_the_end_and_the_release_are_one_write_that_happens_whole_or_not_at_all() {
    for mode in [Mode::Before, Mode::After, Mode::Stall, Mode::DieBefore, Mode::DieAfter] {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::drilled(drill("prepare", "fail"))).await;
            // The second write is the terminal one.
            world.arm_nth("transact run:", 2, mode);
            world.step().await;
            assert_locked_by(&world, &run).await;
            world.settle().await;
            assert_locked_by(&world, &run).await;
        });
    }
}

#[test]
fn i4_a_start_that_is_undone_gives_the_lock_back() {
    in_virtual_time(async {
        let world = probe::world();
        for nth in 1..=3 {
            world.arm_nth("send", nth, Mode::Before);
        }
        let refused = world.ask(probe::plain()).await.expect("the handler lives");
        assert!(matches!(refused, Err(StartError::NotQueued(_))));
        assert_eq!(world.lock_owner(SCOPE), None);
        assert_eq!(world.runs()[0].failure.as_ref().map(|failure| failure.code.as_str()), Some("not_queued"));
        world.start(probe::plain()).await;
        world.settle().await;
    });
}

#[test]
fn i4_a_poisoned_run_gives_the_lock_back() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let text = run.ticket().to_json();
        let poisoned = world.engine("poison").poisoned("probe-prepare", &text).await;
        assert_eq!(poisoned.ok(), Some(Poisoned::RunEnded));
        assert_locked_by(&world, &run).await;
    });
}

#[test]
fn i4_a_late_worker_of_the_last_run_does_not_touch_the_lock_of_the_next() {
    in_virtual_time(async {
        let world = probe::world();
        let first = world.start(probe::drilled(drill("prepare", "fail"))).await;
        // It has decided on the end, but not written it.
        let late = world.freeze_at("transact run:", 2, world.deliver_again("late", &first)).await;
        sleep(World::LEASE).await;
        world.deliver_again("heir", &first).await;
        let second = world.start(probe::plain()).await;
        assert!(matches!(late.wake().await, Came::Acknowledged(_)));
        assert_locked_by(&world, &second).await;
        world.settle().await;
    });
}

#[test]
fn i4_a_lock_that_is_not_its_runs_is_found_by_the_sweep() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        assert_eq!(world.sweep().await.breaches, []);
        world.tables.lock().expect("never poisoned").rows.retain(|(_, key), _| key != "lock");
        let breaches = world.sweep().await.breaches;
        assert!(breaches.len() == 1 && breaches[0].run == run.id && breaches[0].what.starts_with("I4"), "{breaches:?}");
    });
}
