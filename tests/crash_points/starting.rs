//! Between a request and its first ticket.

use std::time::Duration;

use tokio::time::sleep;
use windlass::model::{EventKind, Status};

use crate::support::probe::{self, SCOPE, assert_done};
use crate::support::world::{Mode, World, in_virtual_time, with_key};

#[test]
fn crash_point_01_a_death_before_the_start_transaction_leaves_nothing_in_the_way() {
    for (operation, announced) in [("transact active:", 0), ("transact lock", 1)] {
        in_virtual_time(async {
            let world = probe::world();
            world.arm(operation, Mode::DieBefore);
            assert!(world.ask(probe::plain()).await.is_none());
            assert!(world.runs().is_empty() && world.messages().is_empty());
            assert_eq!(world.lock_owner(SCOPE), None);
            let run = world.start(probe::plain()).await;
            world.settle().await;
            assert_done(&world, &run.id);
            sleep(Duration::from_secs(600)).await;
            let before = world.sweep().await;
            assert_eq!((before.seen, before.retired), (1 + announced, 1 + announced));
            assert_eq!(world.sweep().await.seen, 0);
        });
    }
}

/// A run that was started, but whose ticket was not sent; with a key.
async fn stranded(world: &World) {
    world.arm("transact lock", Mode::DieAfter);
    assert!(world.ask(with_key("k", probe::plain())).await.is_none());
    let run = &world.runs()[0];
    assert_eq!(run.status(), Status::Pending);
    assert_eq!(world.lock_owner(SCOPE), Some(run.id.to_string()));
    assert_eq!(world.kinds(&run.id).await, [EventKind::Started]);
    assert!(world.messages().is_empty());
}

#[test]
fn crash_point_02_a_run_that_was_not_enqueued_is_enqueued_by_the_sweep() {
    in_virtual_time(async {
        let world = probe::world();
        stranded(&world).await;
        assert_eq!(world.sweep().await.resent, 0, "its starter may still be about to enqueue it");
        sleep(World::GRACE).await;
        assert_eq!(world.sweep().await.resent, 1);
        world.drain().await;
        assert_done(&world, &world.runs()[0].id);
    });
}

#[test]
fn crash_point_02_a_run_that_was_not_enqueued_is_enqueued_by_the_same_request_again() {
    in_virtual_time(async {
        let world = probe::world();
        stranded(&world).await;
        let again = world.ask(with_key("k", probe::plain())).await.expect("alive").expect("a run");
        assert!(again.replayed);
        assert_eq!((world.runs().len(), world.messages().len()), (1, 1));
        world.drain().await;
        assert_done(&world, &again.run.id);
    });
}

#[test]
fn crash_point_03_a_request_whose_response_was_lost_finds_its_run_again_by_its_key() {
    in_virtual_time(async {
        let world = probe::world();
        world.arm("send probe-prepare", Mode::DieAfter);
        assert!(world.ask(with_key("k", probe::plain())).await.is_none());
        assert_eq!((world.runs().len(), world.messages().len()), (1, 1));
        let again = world.ask(with_key("k", probe::plain())).await.expect("alive").expect("a run");
        assert!(again.replayed);
        assert_eq!(again.run, world.runs()[0]);
        world.drain().await;
        assert_done(&world, &again.run.id);
        let late = world.ask(with_key("k", probe::plain())).await.expect("alive").expect("a run");
        assert_eq!((late.run.id, world.runs().len(), world.messages().len()), (again.run.id, 1, 0));
    });
}
