//! Between an append and the commit of its length.

use futures::FutureExt;
use serde_json::{Value, json};
use windlass::engine::Outcome;
use windlass::model::Run;

use crate::support::probe::{self, SUCCEEDED, assert_done, end};
use crate::support::rig;
use crate::support::world::{Came, Mode, World, in_virtual_time, request};

fn segments(run: &Run, log: &str) -> Vec<u64> {
    run.logs[log].segments.clone()
}

/// A phase that says its line once and checkpoints that it has said it.
fn saying_once() -> World {
    World::of(rig::registry(|ctx| {
        async {
            if ctx.state::<Value>()?.is_null() {
                ctx.log("rig", "once");
                ctx.set_state(&json!({"said": true}))?;
                ctx.checkpoint().await?;
            }
            Ok(Outcome::Next)
        }
        .boxed()
    }))
}

#[test]
fn crash_point_11_an_append_without_a_reply_is_known_again_by_its_bytes() {
    in_virtual_time(async {
        let world = saying_once();
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        world.arm("append", Mode::After);
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!(end(&run), SUCCEEDED);
        assert_eq!(world.log(&run, rig::SPEC.logs, "rig"), "once\n");
        assert_eq!(segments(&run, "rig"), [5]);
        assert_eq!(world.count("append"), 2);
    });
}

#[test]
fn crash_point_11_other_bytes_at_that_place_are_left_behind_in_a_segment_that_goes_no_further() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.arm("append", Mode::After);
        world.settle().await;
        assert_done(&world, &run.id);
        let run = world.stored(&run.id);
        // The first attempt's line is stored, but the second attempt said another one.
        let log = world.log(&run, probe::SPEC.logs, probe::LOG);
        assert!(log.starts_with("prepare: attempt 2\n"), "{log}");
        assert_eq!(segments(&run, probe::LOG)[0], 0);
    });
}

#[test]
fn crash_point_12_bytes_beyond_the_committed_length_are_taken_over_if_they_are_said_again() {
    for (operation, nth, mode) in [("append", 1, Mode::DieAfter), ("transact run:", 2, Mode::DieBefore)] {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            world.arm_nth(operation, nth, mode);
            assert_eq!(world.step().await, Came::Died);
            assert_eq!(world.log(&world.stored(&run.id), probe::SPEC.logs, probe::LOG), "");
            world.settle().await;
            assert_done(&world, &run.id);
            let run = world.stored(&run.id);
            assert_eq!(segments(&run, probe::LOG), [run.logs[probe::LOG].total()]);
        });
    }
}

#[test]
fn crash_point_12_bytes_beyond_the_committed_length_are_never_read_if_others_are_said() {
    in_virtual_time(async {
        let world = World::of(rig::registry(|ctx| {
            async {
                let line = format!("claim {} has its say", ctx.run().claims);
                ctx.log("rig", &line);
                Ok(Outcome::Next)
            }
            .boxed()
        }));
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        world.arm("append", Mode::DieAfter);
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!(world.log(&run, rig::SPEC.logs, "rig"), "claim 2 has its say\n");
        let read = world.engine("reader").read_log(&run, "rig", 0, u64::MAX).await.expect("a log");
        assert_eq!(read, "claim 2 has its say\n");
    });
}

#[test]
fn crash_point_12_a_part_of_what_is_said_again_is_taken_over_and_the_rest_is_added() {
    in_virtual_time(async {
        let world = World::of(rig::registry(|ctx| {
            async {
                ctx.log("rig", "first");
                if ctx.run().claims > 1 {
                    ctx.log("rig", "second");
                }
                Ok(Outcome::Next)
            }
            .boxed()
        }));
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        world.arm("append", Mode::DieAfter);
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!(world.log(&run, rig::SPEC.logs, "rig"), "first\nsecond\n");
        assert_eq!(segments(&run, "rig"), [13]);
    });
}
