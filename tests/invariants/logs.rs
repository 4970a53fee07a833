//! I6: a log equals the concatenation of its committed chunks: no loss, no duplicate, no interleaving.

use futures::FutureExt;
use serde_json::Value;
use windlass::engine::{Outcome, PhaseError};
use windlass::model::Run;

use crate::support::probe::{self, SUCCEEDED, assert_done, end};
use crate::support::rig;
use crate::support::world::{Came, Mode, World, in_virtual_time, request};

const LINES: u64 = 12;

/// A world whose phase says numbered lines and checkpoints after each, going on where it was when it dies.
fn counting() -> World {
    World::of(rig::registry(|ctx| {
        async {
            let mut said = ctx.state::<u64>()?;
            while said < LINES {
                ctx.log("rig", &format!("line {said}, under claim {}", ctx.run().claims));
                said += 1;
                ctx.set_state(&said)?;
                ctx.checkpoint().await?;
            }
            Ok(Outcome::Next)
        }
        .boxed()
    }))
}

fn assert_counted(world: &World, run: &Run) {
    let run = world.stored(&run.id);
    assert_eq!(end(&run), SUCCEEDED);
    let log = world.log(&run, rig::SPEC.logs, "rig");
    let numbers: Vec<&str> = log.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(numbers, (0..LINES).map(|number| format!("line {number}")).collect::<Vec<_>>(), "{log}");
}

#[test]
fn i6_no_line_is_lost_or_doubled_whatever_becomes_of_an_append() {
    for mode in Mode::ALL {
        for nth in 1..=u32::try_from(LINES).expect("few lines") {
            in_virtual_time(async {
                let world = counting();
                let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
                world.arm_nth("append", nth, mode);
                // Counted from the first claim, the commit of that append.
                world.arm_nth("transact run:", nth + 2, mode);
                world.settle().await;
                assert_counted(&world, &run);
            });
        }
    }
}

#[test]
fn i6_a_log_goes_on_in_a_new_segment_when_one_is_full() {
    for blocks in [1, 2, 5] {
        in_virtual_time(async {
            let world = counting();
            world.tables.lock().expect("never poisoned").blocks = blocks;
            let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
            world.drain().await;
            assert_counted(&world, &run);
            let run = world.stored(&run.id);
            assert_eq!(run.logs["rig"].segments.len(), 12_usize.div_ceil(blocks));
            let read = world.engine("reader").read_log(&run, "rig", 0, u64::MAX).await.expect("a log");
            assert_eq!(read, world.log(&run, rig::SPEC.logs, "rig"));
            // A reader that knows a byte's place finds it, in whatever segment it lies.
            for at in (0..read.len()).step_by(7) {
                let place = at as u64;
                let part = world.engine("reader").read_log(&run, "rig", place, place + 40).await.expect("a part");
                assert_eq!(part, read[at..read.len().min(at + 40)]);
            }
        });
    }
}

#[test]
fn i6_two_that_write_at_once_never_mix_their_lines() {
    in_virtual_time(async {
        for nth in 1..=6 {
            let world = counting();
            let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
            world.lose_messages();
            let first = world.freeze_at("append", nth, world.deliver_again("a", &run)).await;
            tokio::time::sleep(World::LEASE).await;
            // From here on they take turns.
            let (a, b) = tokio::join!(first.wake(), world.deliver_again("b", &run));
            assert!([a, b].iter().all(|came| matches!(came, Came::Acknowledged(_))), "{a:?} {b:?}");
            world.settle().await;
            assert_counted(&world, &run);
        }
    });
}

#[test]
fn i6_a_phase_whose_lines_cannot_be_written_is_not_done() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.arm("append", Mode::Before);
        world.step().await;
        let retrying = world.stored(&run.id);
        assert_eq!((retrying.phase.as_str(), retrying.attempt), ("prepare", 2));
        assert_eq!(retrying.state, Value::Null, "a state that speaks of a line goes with the line");
        world.settle().await;
        assert_done(&world, &run.id);
    });
}

#[test]
fn i6_what_a_failing_phase_said_is_kept() {
    in_virtual_time(async {
        let world = World::of(rig::registry(|ctx| {
            async {
                ctx.log("rig", "the reason");
                Err(PhaseError::fatal("broken", "it cannot be done"))
            }
            .boxed()
        }));
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        world.settle().await;
        assert_eq!(world.log(&world.stored(&run.id), rig::SPEC.logs, "rig"), "the reason\n");
    });
}
