//! A cancellation against a commit: one of them wins.

use windlass::engine::Acknowledged;
use windlass::model::{End, EventKind};

use crate::support::probe::{self, PHASES, SCOPE, end, said};
use crate::support::world::{Came, World, in_virtual_time};

async fn cancel(world: &World, run: &windlass::model::Run) {
    world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("a live run can be cancelled");
}

async fn assert_terminated(world: &World, run: &windlass::model::Run) {
    let run = world.stored(&run.id);
    assert_eq!(end(&run), End::Terminated);
    assert_eq!(world.lock_owner(SCOPE), None);
    let kinds = world.kinds(&run.id).await;
    for once in [EventKind::CancelRequested, EventKind::Terminated] {
        assert_eq!(kinds.iter().filter(|kind| **kind == once).count(), 1, "{kinds:?}");
    }
    assert_eq!(world.verify(), Vec::<String>::new());
}

#[test]
fn crash_point_13_a_cancellation_before_the_commit_wins() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let worker = world.freeze_at("append", 1, world.deliver_again("worker", &run)).await;
        cancel(&world, &run).await;
        let sent = world.sent();
        assert_eq!(worker.wake().await, Came::Acknowledged(Acknowledged::Worked));
        assert_eq!(world.sent(), sent, "there is no successor");
        world.drain().await;
        assert_terminated(&world, &run).await;
    });
}

#[test]
fn crash_point_13_a_cancellation_after_the_commit_is_seen_at_the_next_claim() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.step().await;
        cancel(&world, &run).await;
        world.drain().await;
        assert_terminated(&world, &run).await;
        assert_eq!(said(&world, &world.stored(&run.id)), PHASES[..1]);
    });
}

#[test]
fn crash_point_13_at_whatever_turn_of_a_delivery_a_cancellation_comes_one_of_the_two_wins() {
    for turns in 0.. {
        let over = in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            let delivery = World::freeze_after(turns, world.deliver_again("worker", &run)).await;
            cancel(&world, &run).await;
            let over = delivery.is_err();
            if let Ok(delivery) = delivery {
                delivery.wake().await;
            }
            world.settle().await;
            assert_terminated(&world, &run).await;
            over
        });
        if over {
            assert!(turns > 5, "a delivery takes more than {turns} turns");
            return;
        }
    }
}

#[test]
fn crash_point_13_at_whatever_turn_of_a_cancellation_a_delivery_comes_one_of_the_two_wins() {
    for turns in 0.. {
        let over = in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            let cancellation = World::freeze_after(turns, cancel(&world, &run)).await;
            world.deliver_again("worker", &run).await;
            let over = cancellation.is_err();
            if let Ok(cancellation) = cancellation {
                cancellation.wake().await;
            }
            world.settle().await;
            assert_terminated(&world, &run).await;
            over
        });
        if over {
            assert!(turns > 2, "a cancellation takes more than {turns} turns");
            return;
        }
    }
}

#[test]
fn crash_point_13_a_cancellation_of_the_last_commit_comes_too_late_or_wins_whole() {
    for turns in 0.. {
        let over = in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            for _ in &PHASES[1..] {
                world.step().await;
            }
            let last = world.stored(&run.id);
            let delivery = World::freeze_after(turns, world.deliver_again("worker", &last)).await;
            let asked = world.engine("operator").cancel(&run.id, "operator", "enough").await;
            let over = delivery.is_err();
            if let Ok(delivery) = delivery {
                delivery.wake().await;
            }
            world.settle().await;
            let ended = world.stored(&run.id);
            match end(&ended) {
                End::Terminated => assert!(asked.is_ok()),
                other => assert_eq!(other, probe::SUCCEEDED),
            }
            assert_eq!(world.lock_owner(SCOPE), None);
            over
        });
        if over {
            return;
        }
    }
}
