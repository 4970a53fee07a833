//! Between a phase's answer and the end of its delivery.

use tokio::time::sleep;
use windlass::engine::Acknowledged;
use windlass::model::EventKind::{Completed, Entered, Started};
use windlass::model::{Progress, Wake};

use crate::support::probe::{self, PHASES, assert_done};
use crate::support::world::{Came, Mode, World, in_virtual_time};

#[test]
fn crash_point_07_a_start_whose_reply_was_lost_is_known_again_by_its_own_row() {
    in_virtual_time(async {
        let world = probe::world();
        world.arm("transact lock", Mode::After);
        let started = world.ask(probe::plain()).await.expect("alive").expect("no other run is in the way");
        assert!(!started.replayed);
        assert_eq!(world.kinds(&started.run.id).await, [Started]);
        world.drain().await;
        assert_done(&world, &started.run.id);
    });
}

#[test]
fn crash_point_07_a_claim_or_commit_whose_reply_was_lost_is_known_again_by_its_operation() {
    // Each of the four phases writes its claim and its commit.
    for nth in 1..=8 {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            world.arm_nth("transact run:", nth, Mode::After);
            for _ in PHASES {
                assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Worked));
            }
            assert!(world.messages().is_empty());
            assert_done(&world, &run.id);
            assert_eq!(world.kinds(&run.id).await, [Started, Entered, Entered, Entered, Completed]);
            assert_eq!(world.count("transact run:"), 8, "no write is repeated");
            assert_eq!(world.sent(), 4, "no ticket is sent twice");
        });
    }
}

#[test]
fn crash_point_08_committed_and_successor_not_sent_the_old_ticket_sends_it() {
    // The second write is the commit.
    for (operation, nth, mode) in [("transact run:", 2, Mode::DieAfter), ("send probe-build", 1, Mode::DieBefore)] {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            world.arm_nth(operation, nth, mode);
            assert_eq!(world.step().await, Came::Died);
            let committed = world.stored(&run.id);
            assert!(matches!(committed.progress, Progress::Ready { wake: Wake::Entered, .. }));
            assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Stale));
            let texts: Vec<String> = world.messages().into_iter().map(|message| message.text).collect();
            assert_eq!(texts, [committed.ticket().to_json()]);
            assert_eq!(world.stored(&run.id), committed);
            world.drain().await;
            assert_done(&world, &run.id);
        });
    }
}

#[test]
fn crash_point_08_the_sweep_sends_the_successor_if_the_old_ticket_is_lost_too() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.arm("send probe-build", Mode::DieBefore);
        assert_eq!(world.step().await, Came::Died);
        world.lose_messages();
        sleep(World::GRACE).await;
        assert_eq!(world.sweep().await.resent, 1);
        world.drain().await;
        assert_done(&world, &run.id);
    });
}

#[test]
fn crash_point_09_a_ticket_that_was_not_deleted_changes_nothing_however_late_it_comes() {
    for later in 0..PHASES.len() {
        in_virtual_time(async {
            let world = probe::world();
            let started = world.start(probe::plain()).await;
            for _ in 0..=later {
                assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Worked));
            }
            let before = world.stored(&started.id);
            let expected = if before.is_ended() { Acknowledged::Ended } else { Acknowledged::Stale };
            assert_eq!(world.deliver_again("b", &started).await, Came::Acknowledged(expected));
            assert_eq!(world.stored(&started.id), before);
            world.drain().await;
            assert_done(&world, &started.id);
        });
    }
}

#[test]
fn crash_point_09_a_ticket_that_was_not_deleted_finds_its_successor_at_work() {
    in_virtual_time(async {
        let world = probe::world();
        let started = world.start(probe::plain()).await;
        world.step().await;
        let successor = world.stored(&started.id);
        let at_work = world.freeze_at("append", 1, world.deliver_again("a", &successor)).await;
        let (held, sent) = (world.stored(&started.id), world.sent());
        assert_eq!(world.deliver_again("b", &started).await, Came::Acknowledged(Acknowledged::Stale));
        assert_eq!((world.stored(&started.id), world.sent()), (held, sent));
        assert_eq!(at_work.wake().await, Came::Acknowledged(Acknowledged::Worked));
        world.drain().await;
        assert_done(&world, &started.id);
    });
}
