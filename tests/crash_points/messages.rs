//! Messages that were delivered too often, and messages that never come.

use std::time::Duration;

use futures::FutureExt;
use serde_json::Value;
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Outcome, Poisoned};
use windlass::model::{End, EventKind, Run};

use crate::support::probe::{self, SCOPE, SUCCEEDED, assert_done, end};
use crate::support::rig;
use crate::support::world::{Came, Mode, World, drill, in_virtual_time, live, request};

async fn poison(world: &World, run: &Run) -> Option<Poisoned> {
    let engine = world.engine("poison");
    let text = run.ticket().to_json();
    live(engine.poisoned("probe-prepare", &text)).await.map(|answer| answer.expect("storage answers"))
}

async fn assert_poisoned_once(world: &World, run: &Run) {
    let run = world.stored(&run.id);
    assert_eq!(end(&run), End::Failed);
    assert_eq!(run.failure.as_ref().map(|failure| failure.code.as_str()), Some("poisoned"));
    assert_eq!(world.lock_owner(SCOPE), None);
    let kinds = world.kinds(&run.id).await;
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::Failed).count(), 1);
    assert_eq!(world.verify(), Vec::<String>::new());
}

#[test]
fn crash_point_14_a_ticket_that_lies_in_both_queues_ends_its_run_once() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        assert_eq!(poison(&world, &run).await, Some(Poisoned::RunEnded));
        let ended = world.stored(&run.id);
        assert_eq!(poison(&world, &run).await, Some(Poisoned::Harmless));
        assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Ended));
        assert_eq!(world.stored(&run.id), ended);
        assert_poisoned_once(&world, &run).await;
    });
}

#[test]
fn crash_point_14_a_poison_handler_that_died_is_followed_by_one_that_ends_the_run() {
    // It writes its claim and its commit.
    for (nth, mode) in [(1, Mode::DieBefore), (1, Mode::DieAfter), (2, Mode::DieBefore), (2, Mode::DieAfter)] {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            world.lose_messages();
            world.arm_nth("transact run:", nth, mode);
            assert_eq!(poison(&world, &run).await, None);
            // A queue hides a message from other handlers for longer than a lease.
            sleep(World::LEASE).await;
            assert!(poison(&world, &run).await.is_some());
            assert_poisoned_once(&world, &run).await;
        });
    }
}

#[test]
fn crash_point_14_a_ticket_delivered_too_often_ends_its_run_in_the_world_as_it_is() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        for nth in 1..=5 {
            // Nobody gets as far as the claim.
            world.arm("get run:", Mode::Before);
            assert_eq!(world.step().await, Came::Failed, "delivery {nth}");
        }
        assert_eq!(world.step().await, Came::Failed);
        assert!(world.messages().is_empty());
        assert_poisoned_once(&world, &run).await;
    });
}

#[test]
fn crash_point_15_a_delayed_ticket_that_never_comes_is_sent_again_when_its_time_has_passed() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("build", "wait"))).await;
        for _ in 0..2 {
            world.step().await;
        }
        let waiting = world.stored(&run.id);
        let wake_at = waiting.next_wake_at().expect("it waits");
        assert_eq!(wake_at.since(world.now()), Duration::from_secs(45));
        world.lose_messages();
        sleep(Duration::from_secs(45) + World::GRACE - Duration::from_secs(1)).await;
        assert_eq!(world.sweep().await.resent, 0);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.sweep().await.resent, 1);
        world.drain().await;
        assert_done(&world, &run.id);
    });
}

#[test]
fn crash_point_15_a_wait_that_outlasts_a_messages_life_is_waited_for_in_parts() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    in_virtual_time(async {
        let world = World::of(rig::registry(|ctx| {
            async {
                if ctx.state::<Value>()?.is_null() {
                    ctx.set_state(&true)?;
                    return Ok(Outcome::Wait { after: DAY * 10, reason: "patience".into() });
                }
                Ok(Outcome::Next)
            }
            .boxed()
        }));
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        world.step().await;
        let begun = world.now();
        while !world.messages().is_empty() {
            let ahead = world.messages()[0].visible_at.since(world.now());
            assert!(ahead < DAY * 7, "a message that is to be seen in {ahead:?} would not live to be seen");
            world.step().await;
        }
        assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);
        assert!(world.now().since(begun) >= DAY * 10);
    });
}
