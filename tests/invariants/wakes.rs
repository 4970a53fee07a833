//! I3: a run that has not ended has a message on its way, or a time at which the sweep looks after it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Engine, Outcome, PhaseError};
use windlass::model::{End, Run};
use windlass::pipelines::probe::RELEASE;

use crate::support::probe::{self, SUCCEEDED, end};
use crate::support::rig;
use crate::support::world::{Mode, World, drill, in_virtual_time, request};

/// Every message is lost all the time: whatever happens, the sweep's are the only tickets that arrive.
async fn hauled_by_the_sweep_alone(world: &World, run: &Run) -> Run {
    for _ in 0..50 {
        if world.stored(&run.id).is_ended() {
            return world.stored(&run.id);
        }
        world.lose_messages();
        let due = world.stored(&run.id).next_wake_at().expect("a live run has a time to be looked at");
        sleep(due.since(world.now()) + World::GRACE).await;
        let swept = world.sweep().await;
        assert_eq!((swept.resent, swept.failed), (1, 0), "{:?}", world.stored(&run.id).progress);
        world.step().await;
    }
    panic!("the sweep does not get the run any further: {:?}", world.stored(&run.id).progress);
}

#[test]
fn i3_the_sweep_hauls_a_run_to_its_end_without_any_other_message() {
    let cases = [
        (json!({}), SUCCEEDED),
        (drill("prepare", "wait"), SUCCEEDED),
        (drill("build", "flake"), End::Failed),
        (drill("verify", "panic"), End::Failed),
    ];
    for (input, expected) in cases {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::drilled(input)).await;
            assert_eq!(end(&hauled_by_the_sweep_alone(&world, &run).await), expected);
            assert_eq!(world.verify(), Vec::<String>::new());
        });
    }
}

#[test]
fn i3_a_run_that_is_told_something_needs_no_message_for_it() {
    for cancelled in [true, false] {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::drilled(drill("prepare", "block"))).await;
            world.step().await;
            // Whoever tells it dies before the ticket is sent.
            world.arm("send", Mode::DieBefore);
            let operator = world.engine("operator");
            let told = async {
                match cancelled {
                    true => drop(operator.cancel(&run.id, "operator", "enough").await),
                    false => drop(operator.signal(&run.id, RELEASE, json!(true)).await),
                }
            };
            assert!(crate::support::world::live(told).await.is_none());
            assert!(world.stored(&run.id).next_wake_at() <= Some(world.now()));
            let expected = if cancelled { End::Terminated } else { SUCCEEDED };
            assert_eq!(end(&hauled_by_the_sweep_alone(&world, &run).await), expected);
        });
    }
}

#[test]
fn i3_a_worker_that_dies_at_every_claim_is_not_waited_for_for_ever() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        for nth in 1..=5 {
            world.arm_nth("append", nth, Mode::DieBefore);
        }
        let run = hauled_by_the_sweep_alone(&world, &run).await;
        assert_eq!(end(&run), End::Failed);
        assert_eq!(run.failure.map(|failure| failure.code), Some("crash_loop".to_owned()));
        assert_eq!(world.verify(), Vec::<String>::new());
    });
}

#[test]
fn i3_a_run_that_never_gets_its_signal_ends_when_its_time_is_over() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("build", "block"))).await;
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!(end(&run), End::Failed);
        assert_eq!(run.failure.as_ref().map(|failure| failure.code.as_str()), Some("phase_overdue"));
        assert!(run.updated_at.since(run.created_at) < Duration::from_secs(3700));
        assert_eq!(run.output, Value::Null);
    });
}

#[test]
fn what_a_phase_is_told_while_it_fails_is_seen_before_the_run_is_over() {
    in_virtual_time(async {
        let operator: Arc<OnceLock<Engine>> = Arc::default();
        let telling = Arc::clone(&operator);
        let world = World::of(rig::registry(move |ctx| {
            let operator = telling.get().expect("it is there").clone();
            Box::pin(async move {
                if ctx.signal(rig::WORD).is_some() {
                    return Ok(Outcome::Next);
                }
                operator.signal(&ctx.run().id, rig::WORD, json!(true)).await.expect("a live run can be told");
                Err(PhaseError::fatal("expired", "nobody has said a word"))
            })
        }));
        assert!(operator.set(world.engine("operator")).is_ok());
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        world.drain().await;
        let run = world.stored(&run.id);
        assert_eq!((end(&run), run.failure), (SUCCEEDED, None));
        assert_eq!(world.verify(), Vec::<String>::new());
    });
}
