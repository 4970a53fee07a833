//! Going back is a phase: whatever would end a run leads there, once, and every promise holds on the way.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Poisoned, TellError};
use windlass::model::{End, EventKind, Run};

use crate::support::probe::{SUCCEEDED, end};
use crate::support::swap::{self, FAILED, RELEASE, SCOPE, Script, watching};
use crate::support::world::{Came, Mode, World, in_virtual_time};

/// Delivers one message after the other until the run has fallen back; its lock stays where it is.
async fn until_it_falls_back(world: &World, run: &Run) -> Run {
    while world.stored(&run.id).fallback.is_none() {
        let before = world.stored(&run.id);
        assert!(!before.is_ended(), "it ended instead: {:?}", before.failure);
        world.step().await;
        assert_eq!(world.lock_owner(SCOPE), Some(run.id.to_string()));
    }
    world.stored(&run.id)
}

/// The run fell back from `from` because of `code`, and what it did is undone.
async fn assert_restored(world: &World, run: &Run, from: &str, code: &str) {
    world.drain().await;
    let run = world.stored(&run.id);
    let failure = run.failure.clone().expect("a cause");
    assert_eq!((end(&run), failure.code.as_str()), (FAILED, code));
    let fallback = run.fallback.clone().expect("it fell back");
    assert_eq!((fallback.from.as_str(), fallback.cause), (from, failure));
    assert_eq!(world.document(SCOPE, "thing"), Some(json!({"is": "old"})));
    assert_eq!(world.document(SCOPE, "before"), None);
    let fell_back: Vec<_> =
        world.history(&run.id).await.into_iter().filter(|event| event.kind == EventKind::FellBack).collect();
    let [event] = fell_back.as_slice() else { panic!("{fell_back:?}") };
    assert_eq!((event.phase.as_str(), &event.detail["from"]), ("restore", &json!(from)));
    assert_eq!(event.detail["cause"], json!(run.failure));
    let said = swap::said(world, &run);
    // What the row refuses to hold takes the lines along that speak of it.
    let abandoned = if code == "state_refused" { String::new() } else { format!("abandoned {from}\n") };
    assert!(said.ends_with(&format!("{abandoned}restored\n")), "{said}");
    assert_eq!(world.lock_owner(SCOPE), None);
    assert_eq!(world.verify(), Vec::<String>::new());
}

#[test]
fn whatever_would_end_the_run_leads_back() {
    let ways = [
        (watching("fail"), "watch", "sick"),
        (watching("flake"), "watch", "pale"),
        (watching("panic"), "watch", "phase_panicked"),
        (watching("stray"), "watch", "phase_out_of_order"),
        (watching("outgrow"), "watch", "state_refused"),
        (watching("block"), "watch", "run_overdue"),
        (Script { swap: "block".into(), ..Script::default() }, "swap", "phase_overdue"),
    ];
    for (script, from, code) in ways {
        in_virtual_time(async {
            let world = swap::world();
            world.tables.lock().expect("never poisoned").largest = swap::LARGEST;
            let run = world.start(swap::asked(&script)).await;
            let back = until_it_falls_back(&world, &run).await;
            assert_eq!((back.phase.as_str(), back.attempt, back.claims), ("restore", 1, 0), "{code}");
            assert_eq!(world.messages().len(), 1, "one ticket, for the way back");
            assert_restored(&world, &run, from, code).await;
        });
    }
}

#[test]
fn a_run_that_succeeds_or_has_nothing_to_undo_does_not_fall_back() {
    in_virtual_time(async {
        let world = swap::world();
        let run = world.start(swap::asked(&Script::default())).await;
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!((end(&run), run.fallback.is_none(), run.failure), (SUCCEEDED, true, None));
    });
    in_virtual_time(async {
        let world = swap::world();
        let run = world.start(swap::asked(&Script::default())).await;
        world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), End::Terminated);
    });
}

#[test]
fn an_overdue_run_gets_its_time_to_go_back() {
    in_virtual_time(async {
        let world = swap::world();
        let script = Script { restore: "block".into(), ..watching("block") };
        let run = world.start(swap::asked(&script)).await;
        let back = until_it_falls_back(&world, &run).await;
        assert!(run.deadline_at <= world.now());
        assert_eq!(back.deadline_at, world.now() + Duration::from_secs(40 * 60));
        world.step().await;
        sleep(Duration::from_secs(30 * 60)).await;
        world.engine("operator").signal(&run.id, RELEASE, json!(true)).await.expect("it goes back");
        assert_restored(&world, &run, "watch", "run_overdue").await;
    });
}

#[test]
fn the_budget_that_is_left_is_not_cut_by_falling_back() {
    in_virtual_time(async {
        let world = swap::world();
        let run = world.start(swap::asked(&watching("fail"))).await;
        assert_eq!(until_it_falls_back(&world, &run).await.deadline_at, run.deadline_at);
    });
}

#[test]
fn a_worker_that_dies_at_every_claim_leads_back_too() {
    in_virtual_time(async {
        let world = swap::world();
        let run = world.start(swap::asked(&watching("block"))).await;
        world.step().await;
        world.step().await;
        for nth in 1..=5 {
            world.arm_nth("transact run:", 2 * nth, Mode::DieBefore);
        }
        for _ in 1..=5 {
            world.lose_messages();
            assert_eq!(world.deliver_again("dying", &world.stored(&run.id)).await, Came::Died);
            sleep(World::LEASE + World::GRACE).await;
        }
        assert_eq!(world.stored(&run.id).claims, 5);
        world.sweep().await;
        until_it_falls_back(&world, &run).await;
        assert_restored(&world, &run, "watch", "crash_loop").await;
    });
}

/// A run that waits in its watch.
async fn blocked(script: &Script) -> (World, Run) {
    let world = swap::world();
    let run = world.start(swap::asked(script)).await;
    for _ in 0..3 {
        world.step().await;
    }
    (world, run)
}

#[test]
fn a_cancelled_run_goes_back_and_ends_as_a_failure_with_the_cancellation_as_its_cause() {
    in_virtual_time(async {
        let (world, run) = blocked(&watching("block")).await;
        world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
        let back = until_it_falls_back(&world, &run).await;
        assert!(back.cancel.is_some() && back.cancel_pending().is_none());
        assert_restored(&world, &run, "watch", "cancelled").await;
        let detail = world.stored(&run.id).failure.expect("a cause").detail;
        assert_eq!((&detail["by"], &detail["reason"]), (&json!("operator"), &json!("enough")));
        assert_eq!(detail["at"], json!(back.cancel.expect("it was asked for").at));
    });
}

#[test]
fn a_run_that_goes_back_cannot_be_cancelled() {
    in_virtual_time(async {
        let script = Script { restore: "block".into(), ..watching("fail") };
        let world = swap::world();
        let run = world.start(swap::asked(&script)).await;
        until_it_falls_back(&world, &run).await;
        let operator = world.engine("operator");
        for _ in 0..2 {
            let before = world.stored(&run.id);
            let refused = operator.cancel(&run.id, "operator", "enough").await;
            assert!(matches!(refused, Err(TellError::FallingBack)), "{refused:?}");
            assert_eq!(world.stored(&run.id), before);
            world.step().await;
        }
        operator.signal(&run.id, RELEASE, json!(true)).await.expect("a signal is heard all the same");
        assert_restored(&world, &run, "watch", "sick").await;
    });
}

#[test]
fn a_cancellation_that_was_asked_for_before_does_not_stop_the_way_back_either() {
    in_virtual_time(async {
        let script = Script { restore: "block".into(), ..watching("block") };
        let (world, run) = blocked(&script).await;
        world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
        until_it_falls_back(&world, &run).await;
        // It waits, longer than a lease, and is claimed again.
        for _ in 0..2 {
            world.step().await;
            assert_eq!(world.stored(&run.id).phase, "restore");
        }
        world.engine("operator").signal(&run.id, RELEASE, json!(true)).await.expect("it goes back");
        assert_restored(&world, &run, "watch", "cancelled").await;
    });
}

#[test]
fn a_cancellation_that_was_asked_for_before_is_not_seen_by_the_renewal_of_the_way_back() {
    in_virtual_time(async {
        let (world, run) = blocked(&Script { restore: "toil".into(), ..watching("block") }).await;
        world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
        until_it_falls_back(&world, &run).await;
        let before = world.count("transact run:");
        assert_restored(&world, &run, "watch", "cancelled").await;
        assert!(world.count("transact run:") > before + 3, "claim, checkpoint, renewal, commit");
    });
}

#[test]
fn a_poison_ticket_leads_back_and_the_same_one_again_changes_nothing() {
    in_virtual_time(async {
        let (world, run) = blocked(&watching("block")).await;
        world.lose_messages();
        let waiting = world.stored(&run.id).ticket().to_json();
        let poison = world.engine("poison");
        assert_eq!(poison.poisoned("swap-watch", &waiting).await.ok(), Some(Poisoned::FellBack));
        let back = world.stored(&run.id);
        let tickets: Vec<String> = world.messages().into_iter().map(|message| message.text).collect();
        assert_eq!(tickets, [back.ticket().to_json()]);
        assert_eq!(poison.poisoned("swap-watch", &waiting).await.ok(), Some(Poisoned::Harmless));
        assert_eq!((world.stored(&run.id), world.messages().len()), (back, 1));
        assert_restored(&world, &run, "watch", "poisoned").await;
    });
}

#[test]
fn a_run_falls_back_once_and_a_failure_on_the_way_back_keeps_the_cause_that_led_there() {
    for (action, code) in [("fail", "sick"), ("flake", "pale"), ("panic", "phase_panicked"), ("block", "phase_overdue")]
    {
        in_virtual_time(async {
            let script = Script { restore: action.into(), ..watching("stray") };
            let world = swap::world();
            let run = world.start(swap::asked(&script)).await;
            world.settle().await;
            let run = world.stored(&run.id);
            let failure = run.failure.clone().expect("a cause");
            assert_eq!((end(&run), failure.code.as_str()), (End::Failed, code));
            assert_eq!(failure.detail["cause"], json!(run.fallback.expect("it fell back").cause));
            assert_eq!(failure.detail["cause"]["code"], "phase_out_of_order");
            let kinds = world.kinds(&run.id).await;
            assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::FellBack).count(), 1);
            assert_eq!(kinds.last(), Some(&EventKind::Failed));
        });
    }
}

#[test]
fn a_fallback_to_what_does_not_lie_behind_is_no_way_back() {
    for back in ["remember", "watch"] {
        in_virtual_time(async {
            let script = Script { back: back.into(), ..watching("fail") };
            let world = swap::world();
            let run = world.start(swap::asked(&script)).await;
            world.settle().await;
            let failure = world.stored(&run.id).failure.expect("a cause");
            assert_eq!(
                (failure.code.as_str(), &failure.detail["cause"]["code"]),
                ("phase_out_of_order", &json!("sick"))
            );
            assert!(failure.message.contains(back), "{failure}");
        });
    }
}

#[test]
fn a_phase_that_panics_when_it_is_asked_has_no_way_back() {
    in_virtual_time(async {
        let script = Script { back: "panic".into(), ..watching("fail") };
        let world = swap::world();
        let run = world.start(swap::asked(&script)).await;
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!((end(&run), run.failure.expect("a cause").code.as_str()), (End::Failed, "sick"));
    });
}

#[test]
fn a_run_that_goes_back_and_comes_to_the_end_of_its_phases_has_failed() {
    in_virtual_time(async {
        let script = Script { back: "rest".into(), ..watching("fail") };
        let world = swap::world();
        let run = world.start(swap::asked(&script)).await;
        world.settle().await;
        let run = world.stored(&run.id);
        assert_eq!((end(&run), run.failure.expect("a cause").code.as_str()), (FAILED, "sick"));
        assert_eq!(run.output, Value::Null);
    });
}

#[test]
fn i3_the_sweep_hauls_a_run_back_without_any_other_message() {
    in_virtual_time(async {
        let world = swap::world();
        let run = world.start(swap::asked(&watching("fail"))).await;
        while !world.stored(&run.id).is_ended() {
            world.lose_messages();
            sleep(World::GRACE).await;
            assert_eq!((world.sweep().await.resent, world.messages().len()), (1, 1));
            world.step().await;
        }
        assert_restored(&world, &run, "watch", "sick").await;
    });
}
