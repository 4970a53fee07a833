//! The sweep itself dies, or runs twice.

use tokio::time::sleep;
use windlass::model::Run;

use crate::support::probe::{self, PHASES, SUCCEEDED, end, said};
use crate::support::world::{Mode, World, in_virtual_time, live, request};

/// Runs of two scopes that have been without a ticket for long.
async fn stranded() -> (World, Vec<Run>) {
    let world = probe::world();
    for scope in ["probe:1", "probe:2"] {
        world.start(request(probe::SPEC.name, scope, serde_json::json!({}))).await;
    }
    world.lose_messages();
    sleep(World::GRACE).await;
    let runs = world.runs();
    (world, runs)
}

async fn assert_both_done(world: &World) {
    world.drain().await;
    for run in world.runs() {
        assert_eq!((end(&run), said(world, &run)), (SUCCEEDED, PHASES.map(str::to_owned).to_vec()));
    }
    assert_eq!(world.verify(), Vec::<String>::new());
}

#[test]
fn crash_point_16_a_sweep_that_dies_anywhere_has_advanced_nothing_and_the_next_one_completes_it() {
    for mode in [Mode::DieBefore, Mode::DieAfter] {
        for nth in 1.. {
            let lived = in_virtual_time(async {
                let (world, before) = stranded().await;
                world.arm_nth("", nth, mode);
                let lived = live(world.engine("sweep").sweep()).await.is_some();
                assert_eq!(world.runs(), before);
                world.calm();
                world.sweep().await;
                assert_eq!(world.runs(), before);
                assert_both_done(&world).await;
                lived
            });
            if lived {
                assert!(nth > 8, "a sweep over two runs takes more than {nth} operations");
                break;
            }
        }
    }
}

#[test]
fn crash_point_16_two_sweeps_at_once_send_tickets_and_nothing_more() {
    in_virtual_time(async {
        let (world, before) = stranded().await;
        let sent = world.sent();
        let (one, two) = tokio::join!(world.sweep(), world.sweep());
        assert_eq!((one.resent, two.resent, world.sent() - sent), (2, 2, 4));
        assert_eq!(world.runs(), before);
        assert_both_done(&world).await;
    });
}

#[test]
fn crash_point_16_two_sweeps_at_once_retire_an_entry_once_and_neither_complains() {
    in_virtual_time(async {
        let world = probe::world();
        world.start(probe::plain()).await;
        world.settle().await;
        let (one, two) = tokio::join!(world.sweep(), world.sweep());
        assert_eq!((one.failed, two.failed), (0, 0));
        assert_eq!(world.sweep().await.seen, 0);
    });
}
