//! The budget of a run, phases that are skipped, and phases in which people are waited for.

use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Outcome, PhaseError};
use windlass::model::{End, EventKind, Run};

use crate::support::gate::{self, APPROVE};
use crate::support::probe::{SUCCEEDED, end};
use crate::support::world::{Came, World, in_virtual_time, request};

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_secs(3600);

/// A run that waits for somebody.
async fn waiting() -> (World, Run) {
    let world = World::of(gate::registry(|_| async { Ok(Outcome::Next) }.boxed()));
    let run = world.start(request(gate::SPEC.name, "gate:1", Value::Null)).await;
    sleep(HOUR / 2).await;
    world.step().await;
    world.step().await;
    (world, run)
}

#[test]
fn time_spent_waiting_for_people_does_not_count_against_the_budget() {
    in_virtual_time(async {
        let (world, run) = waiting().await;
        assert_eq!(world.stored(&run.id).deadline_at, run.deadline_at + 30 * DAY);
        sleep(20 * DAY).await;
        world.lose_messages();
        world.engine("operator").signal(&run.id, APPROVE, json!(true)).await.expect("it waits");
        world.step().await;
        let on = world.stored(&run.id);
        assert_eq!((on.phase.as_str(), on.deadline_at), ("finish", run.deadline_at + 20 * DAY));
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);
    });
}

#[test]
fn a_run_that_begins_by_waiting_for_people_has_its_whole_budget_afterwards() {
    in_virtual_time(async {
        let world = World::of(gate::registry(|_| async { Ok(Outcome::Next) }.boxed()));
        let run = world.start(request(gate::DOORSTEP.name, "gate:1", Value::Null)).await;
        world.step().await;
        sleep(20 * DAY).await;
        world.lose_messages();
        world.engine("operator").signal(&run.id, APPROVE, json!(true)).await.expect("it waits");
        world.step().await;
        assert_eq!(world.stored(&run.id).deadline_at, run.created_at + 20 * DAY + HOUR);
    });
}

#[test]
fn the_rest_of_the_budget_counts_from_where_it_stood() {
    in_virtual_time(async {
        let (world, run) = waiting().await;
        world.lose_messages();
        sleep(20 * DAY).await;
        world.engine("operator").signal(&run.id, APPROVE, json!(true)).await.expect("it waits");
        world.step().await;
        world.lose_messages();
        // Half of its hour had passed before the wait.
        sleep(HOUR / 2 + Duration::from_secs(1)).await;
        world.deliver_again("late", &world.stored(&run.id)).await;
        let run = world.stored(&run.id);
        assert_eq!(run.failure.map(|failure| failure.code), Some("run_overdue".to_owned()));
    });
}

#[test]
fn a_run_for_which_nobody_came_is_overdue_in_its_phase_and_not_before() {
    in_virtual_time(async {
        let (world, run) = waiting().await;
        let entered = world.stored(&run.id).phase_entered_at;
        world.drain().await;
        let run = world.stored(&run.id);
        assert_eq!(
            (end(&run), run.failure.map(|failure| failure.code)),
            (End::Failed, Some("phase_overdue".to_owned()))
        );
        let waited = run.updated_at.since(entered);
        assert!((30 * DAY..30 * DAY + HOUR).contains(&waited), "{waited:?}");
        assert_eq!(world.verify(), Vec::<String>::new());
    });
}

#[test]
fn the_sweep_leaves_a_run_alone_that_waits_for_people_beyond_its_budget() {
    in_virtual_time(async {
        let (world, run) = waiting().await;
        let waits = world.stored(&run.id).next_wake_at().expect("it waits");
        sleep(2 * DAY).await;
        assert!(world.now() > run.deadline_at && waits > world.now());
        let swept = world.sweep().await;
        assert_eq!((swept.seen, swept.resent, swept.failed), (1, 0, 0));
    });
}

#[test]
fn a_phase_may_skip_those_in_between() {
    in_virtual_time(async {
        let world = World::of(gate::registry(|_| async { Ok(Outcome::Enter("finish")) }.boxed()));
        let run = world.start(request(gate::SPEC.name, "gate:1", Value::Null)).await;
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!((end(&run), run.deadline_at), (SUCCEEDED, run.created_at + HOUR));
        let history = world.history(&run.id).await;
        let entered: Vec<&str> =
            history.iter().filter(|event| event.kind == EventKind::Entered).map(|event| event.phase.as_str()).collect();
        assert_eq!(entered, ["finish"]);
    });
}

#[test]
fn i1_a_phase_that_wants_to_go_to_itself_or_nowhere_fails() {
    for wanted in ["begin", "nowhere"] {
        in_virtual_time(async {
            let world = World::of(gate::registry(move |_| async move { Ok(Outcome::Enter(wanted)) }.boxed()));
            let run = world.start(request(gate::SPEC.name, "gate:1", Value::Null)).await;
            world.settle().await;
            let run = world.stored(&run.id);
            let failure = run.failure.clone().expect("a cause");
            assert_eq!((end(&run), failure.code.as_str()), (End::Failed, "phase_out_of_order"));
            assert!(failure.message.contains(wanted), "{failure}");
        });
    }
}

#[test]
fn a_signal_that_comes_while_a_worker_is_at_work_is_seen_by_the_next_claim_at_once() {
    in_virtual_time(async {
        let world = World::of(gate::registry(|ctx| {
            async {
                if ctx.signal("go").is_some() {
                    return Ok(Outcome::Enter("finish"));
                }
                ctx.log("gate", "it was not told yet");
                Ok::<_, PhaseError>(Outcome::Wait { after: HOUR / 4, reason: "go".into() })
            }
            .boxed()
        }));
        let run = world.start(request(gate::SPEC.name, "gate:1", Value::Null)).await;
        world.lose_messages();
        // It has looked, and has not answered yet.
        let at_work = world.freeze_at("append", 1, world.deliver_again("worker", &run)).await;
        world.engine("operator").signal(&run.id, "go", json!(true)).await.expect("it runs");
        assert_eq!(at_work.wake().await, Came::Acknowledged(Acknowledged::Worked));
        assert_eq!(world.stored(&run.id).next_wake_at(), Some(world.now()));
        let asked_at = world.now();
        world.step().await;
        assert_eq!((world.stored(&run.id).phase.as_str(), world.now()), ("finish", asked_at));
    });
}
