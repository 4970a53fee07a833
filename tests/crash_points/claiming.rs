//! Between a ticket's arrival and the phase's first effect.

use std::time::Duration;

use tokio::time::sleep;
use windlass::engine::Acknowledged;
use windlass::model::{EventKind, Progress};

use crate::support::probe::{self, assert_done};
use crate::support::world::{Came, Mode, World, in_virtual_time};

/// A run whose first worker died on its way to the claim; the ticket is still hidden.
async fn dequeued(world: &World) -> windlass::model::Run {
    let run = world.start(probe::plain()).await;
    let before = world.stored(&run.id);
    world.arm("transact run:", Mode::DieBefore);
    assert_eq!(world.step().await, Came::Died);
    assert_eq!(world.stored(&run.id), before);
    before
}

#[test]
fn crash_point_04_a_ticket_that_was_not_claimed_is_delivered_again() {
    in_virtual_time(async {
        let world = probe::world();
        let run = dequeued(&world).await;
        assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Worked));
        assert!(!world.kinds(&run.id).await.contains(&EventKind::TakenOver));
        world.drain().await;
        assert_done(&world, &run.id);
    });
}

#[test]
fn crash_point_04_the_sweep_need_not_wait_for_the_hidden_ticket() {
    in_virtual_time(async {
        let world = probe::world();
        let run = dequeued(&world).await;
        sleep(World::GRACE).await;
        assert_eq!(world.sweep().await.resent, 1);
        assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Worked));
        assert!(world.now().since(run.created_at) < Duration::from_secs(60));
        world.drain().await;
        assert_done(&world, &run.id);
    });
}

#[test]
fn crash_point_05_a_claimed_run_is_taken_over_once_its_lease_has_ended_and_not_before() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.arm("transact run:", Mode::DieAfter);
        assert_eq!(world.step().await, Came::Died);
        let claimed = world.stored(&run.id);
        assert!(matches!(claimed.progress, Progress::Leased { .. }));
        sleep(World::LEASE - Duration::from_secs(1)).await;
        assert_eq!(world.deliver_again("b", &claimed).await, Came::Acknowledged(Acknowledged::Busy));
        assert_eq!(world.stored(&run.id), claimed);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(world.deliver_again("b", &claimed).await, Came::Acknowledged(Acknowledged::Worked));
        assert_eq!(world.kinds(&run.id).await, [EventKind::Started, EventKind::TakenOver, EventKind::Entered]);
        world.drain().await;
        assert_done(&world, &run.id);
    });
}

#[test]
fn crash_point_05_the_sweep_finds_a_lease_that_nobody_holds_any_more() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.arm("transact run:", Mode::DieAfter);
        assert_eq!(world.step().await, Came::Died);
        world.lose_messages();
        sleep(World::LEASE).await;
        assert_eq!(world.sweep().await.resent, 0);
        sleep(World::GRACE).await;
        assert_eq!(world.sweep().await.resent, 1);
        world.drain().await;
        assert_done(&world, &run.id);
    });
}
