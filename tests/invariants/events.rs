//! I5: every transition has exactly one event row, written in the same transaction.

use serde_json::{Value, json};
use windlass::model::EventKind::{
    self, CancelRequested, Completed, Entered, Failed, Retrying, Started, Terminated, Waiting,
};

use crate::support::probe;
use crate::support::world::{Mode, Tables, World, drill, in_virtual_time};

async fn assert_told(world: &World, expected: &[EventKind]) {
    let run = &world.runs()[0];
    let history = world.history(&run.id).await;
    assert_eq!(history.iter().map(|event| event.kind).collect::<Vec<_>>(), expected);
    let mut previous = run.first_previous.as_str();
    for (event, number) in history.iter().zip(1..) {
        assert_eq!((event.number, event.follows(previous)), (number, true));
        previous = &event.hash;
    }
    assert_eq!((run.events, run.last_hash.as_str()), (history.len() as u64, previous));
    assert_eq!(world.verify(), Vec::<String>::new());
}

#[test]
fn i5_the_history_tells_every_transition_once_and_in_order() {
    let told: [(Value, &[EventKind]); 4] = [
        (json!({}), &[Started, Entered, Entered, Entered, Completed]),
        (drill("build", "wait"), &[Started, Entered, Waiting, Entered, Entered, Completed]),
        (drill("prepare", "flake"), &[Started, Retrying, Retrying, Failed]),
        (drill("deploy", "fail"), &[Started, Entered, Entered, Failed]),
    ];
    for (input, expected) in told {
        in_virtual_time(async {
            let world = probe::world();
            world.start(probe::drilled(input)).await;
            world.drain().await;
            assert_told(&world, expected).await;
        });
    }
}

#[test]
fn i5_a_cancellation_is_told_as_it_was_asked_for_and_as_it_was_done() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("build", "block"))).await;
        for _ in 0..2 {
            world.step().await;
        }
        for _ in 0..2 {
            world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
        }
        world.drain().await;
        assert_told(&world, &[Started, Entered, Waiting, CancelRequested, Terminated]).await;
    });
}

#[test]
fn i5_a_row_and_its_event_are_written_together_or_not_at_all() {
    // The start, and each phase's claim and commit.
    let writes = [("transact lock", 1)].into_iter().chain((1..=8).map(|nth| ("transact run:", nth)));
    for (operation, nth) in writes {
        for mode in [Mode::DieBefore, Mode::DieAfter] {
            in_virtual_time(async {
                let world = probe::world();
                world.arm_nth(operation, nth, mode);
                world.ask(probe::plain()).await;
                while world.trace().iter().all(|operation| operation.struck.is_none()) {
                    world.step().await;
                }
                for run in world.runs() {
                    let history = world.history(&run.id).await;
                    assert_eq!(run.events, history.len() as u64);
                    assert_eq!(Some(run.last_hash), history.last().map(|event| event.hash.clone()));
                }
            });
        }
    }
}

#[test]
fn i5_an_event_that_is_missing_changed_or_made_up_is_found_by_the_sweep() {
    type Tamper = fn(&mut Tables, (String, String));
    let tampers: [(&str, Tamper); 3] = [
        ("missing", |tables, last| drop(tables.rows.remove(&last))),
        ("changed", |tables, last| {
            let row = tables.rows.get_mut(&last).expect("it is there");
            row.record.insert("hash".into(), "0".into());
        }),
        ("made up", |tables, last| {
            let beyond = (last.0.clone(), last.1.replace(":00000002", ":00000003"));
            let copy = tables.rows[&last].clone();
            tables.rows.insert(beyond, copy);
        }),
    ];
    for (what, tamper) in tampers {
        in_virtual_time(async {
            let world = probe::world();
            world.start(probe::plain()).await;
            world.step().await;
            assert_eq!(world.sweep().await.breaches, []);
            {
                let mut tables = world.tables.lock().expect("never poisoned");
                let events = tables.rows.keys().filter(|(_, key)| key.starts_with("event:"));
                let last = events.max().cloned().expect("a run has events");
                tamper(&mut tables, last);
            }
            let breaches = world.sweep().await.breaches;
            assert!(breaches.len() == 1 && breaches[0].what.starts_with("I5"), "{what}: {breaches:?}");
        });
    }
}
