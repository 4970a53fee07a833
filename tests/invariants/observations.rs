//! Whoever looks at runs from outside is told each fact once, after it was committed.

use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Outcome};
use windlass::model::{EventKind, Run};

use crate::support::probe::{self, SCOPE};
use crate::support::rig;
use crate::support::swap::{self, Script, watching};
use crate::support::world::{Came, Mode, World, drill, in_virtual_time, request};

const WHOLE: [&str; 9] = [
    "delivered probe/prepare",
    "answered probe/prepare next",
    "delivered probe/build",
    "answered probe/build next",
    "delivered probe/deploy",
    "answered probe/deploy next",
    "delivered probe/verify",
    "answered probe/verify done",
    "ended probe completed",
];

/// A run whose script has come to its end, and what was told of it.
async fn played(script: &Script) -> (World, Run) {
    let world = swap::world();
    let run = world.start(swap::asked(script)).await;
    world.drain().await;
    let run = world.stored(&run.id);
    assert!(run.is_ended());
    (world, run)
}

#[test]
fn a_run_tells_of_its_deliveries_and_of_one_end() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        assert_eq!(world.observed.said(), Vec::<String>::new());
        world.drain().await;
        assert_eq!(world.observed.said(), WHOLE);
        probe::assert_done(&world, &run.id);
    });
}

#[test]
fn what_is_told_says_how_old_a_ticket_was_and_how_long_work_took() {
    in_virtual_time(async {
        let toil = Duration::from_secs(7);
        let world = World::of(rig::registry(move |_| {
            async move {
                sleep(toil).await;
                Ok(Outcome::Next)
            }
            .boxed()
        }));
        world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        let late = Duration::from_secs(40);
        sleep(late).await;
        world.drain().await;
        assert_eq!(world.observed.times("delivered rig/"), [late, Duration::ZERO]);
        assert_eq!(world.observed.times("answered rig/"), [toil, Duration::ZERO]);
        assert_eq!(world.observed.times("ended rig completed"), [late + toil]);
    });
}

#[test]
fn a_wait_is_an_answer_and_ages_no_ticket() {
    in_virtual_time(async {
        let world = probe::world();
        world.start(probe::drilled(drill("build", "wait"))).await;
        world.drain().await;
        let answers = ["answered probe/build wait", "answered probe/build next"];
        assert_eq!(world.observed.said_of("answered probe/build"), answers);
        assert_eq!(world.observed.times("delivered probe/build"), [Duration::ZERO; 2]);
    });
}

#[test]
fn a_retry_says_its_code_each_time() {
    in_virtual_time(async {
        let (world, _) = played(&watching("flake")).await;
        let answers = ["answered swap/watch retry", "answered swap/watch retry", "answered swap/watch fallback"];
        assert_eq!(world.observed.said_of("answered swap/watch"), answers);
        assert_eq!(world.observed.said_of("retried"), ["retried swap/watch pale"; 2]);
    });
}

#[test]
fn a_run_ends_as_what_became_of_its_work() {
    let scripts = [
        (Script::default(), "answered swap/watch done", "ended swap completed"),
        (watching("fail"), "answered swap/restore done", "ended swap undone"),
        (Script { restore: "fail".into(), ..watching("fail") }, "answered swap/restore failed", "ended swap failed"),
        (Script { back: "watch".into(), ..watching("fail") }, "answered swap/watch failed", "ended swap failed"),
    ];
    for (script, answer, ended) in scripts {
        in_virtual_time(async {
            let (world, _) = played(&script).await;
            assert_eq!(world.observed.said_of("answered").last().map(String::as_str), Some(answer));
            assert_eq!(world.observed.said_of("ended"), [ended]);
        });
    }
}

#[test]
fn a_cancelled_run_was_terminated() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("build", "block"))).await;
        world.step().await;
        world.step().await;
        world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it waits");
        assert_eq!(world.observed.said_of("ended"), Vec::<String>::new());
        world.drain().await;
        let told = world.observed.said();
        assert_eq!(told[told.len() - 2..], ["answered probe/build terminated", "ended probe terminated"]);
    });
}

#[test]
fn a_start_that_is_undone_is_a_run_that_failed() {
    in_virtual_time(async {
        let world = probe::world();
        for nth in 1..=3 {
            world.arm_nth("send", nth, Mode::Before);
        }
        world.ask(probe::plain()).await.expect("the handler lives").expect_err("nothing takes its ticket");
        assert_eq!(world.observed.said(), ["ended probe failed"]);
    });
}

#[test]
fn a_delivery_that_comes_twice_tells_nothing_twice() {
    in_virtual_time(async {
        let world = probe::world();
        let mut seen = vec![world.start(probe::plain()).await];
        while !world.messages().is_empty() {
            world.step().await;
            let now = world.stored(&seen[0].id);
            for before in &seen {
                world.deliver_again("duplicate", before).await;
            }
            seen.push(now);
        }
        assert_eq!(world.observed.said(), WHOLE);
    });
}

#[test]
fn a_write_whose_reply_was_lost_is_told_once() {
    in_virtual_time(async {
        let world = probe::world();
        world.start(probe::plain()).await;
        // A claim and a commit for each phase.
        for nth in 1..=8 {
            world.arm_nth("transact run:", nth, Mode::After);
        }
        world.drain().await;
        assert_eq!(world.observed.said(), WHOLE);
    });
}

#[test]
fn what_was_not_committed_is_not_told() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.arm_nth("transact run:", 2, Mode::DieBefore);
        assert_eq!(world.step().await, Came::Died);
        assert_eq!(world.observed.said(), WHOLE[..1]);
        // Nobody is known to have died before the lease has run out, and so long the ticket was not due.
        sleep(World::LEASE).await;
        world.deliver_again("heir", &world.stored(&run.id)).await;
        assert_eq!(world.observed.said()[1..], WHOLE[..2]);
        assert_eq!(world.observed.times("delivered"), [Duration::ZERO; 2]);
    });
}

#[test]
fn a_worker_that_dies_right_behind_its_commit_takes_the_telling_along() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        for _ in 0..3 {
            world.step().await;
        }
        let last = world.stored(&run.id);
        world.arm_nth("transact run:", 2, Mode::DieAfter);
        assert_eq!(world.step().await, Came::Died);
        assert!(world.stored(&run.id).is_ended());
        assert_eq!(world.deliver_again("heir", &last).await, Came::Acknowledged(Acknowledged::Ended));
        assert_eq!(world.observed.said(), WHOLE[..7]);
    });
}

#[test]
fn a_worker_that_was_overtaken_says_that_it_lost_its_run() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let zombie = world.freeze_at("append", 1, world.deliver_again("zombie", &run)).await;
        sleep(World::LEASE).await;
        world.step().await;
        assert_eq!(zombie.wake().await, Came::Acknowledged(Acknowledged::Stale));
        let answers = ["answered probe/prepare next", "answered probe/prepare lost"];
        assert_eq!(world.observed.said_of("answered"), answers);
        assert_eq!(world.observed.times("answered")[1], World::LEASE);
        assert_eq!(world.kinds(&run.id).await.iter().filter(|kind| **kind == EventKind::Entered).count(), 1);
    });
}

#[test]
fn a_poison_message_says_what_became_of_it() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let (poison, ticket) = (world.engine("poison"), run.ticket().to_json());
        for message in ["hello", &ticket, &ticket] {
            poison.poisoned("probe-prepare", message).await.expect("it is handled");
        }
        let told = ["poisoned probe-prepare kept", "poisoned probe-prepare ended_run", "ended probe failed"];
        assert_eq!(world.observed.said(), told);
    });
    in_virtual_time(async {
        let world = swap::world();
        let run = world.start(swap::asked(&watching("block"))).await;
        for _ in 0..3 {
            world.step().await;
        }
        let ticket = world.stored(&run.id).ticket().to_json();
        world.engine("poison").poisoned("swap-watch", &ticket).await.expect("it is handled");
        assert_eq!(world.observed.said_of("poisoned"), ["poisoned swap-watch fell_back"]);
        assert_eq!(world.observed.said_of("ended"), Vec::<String>::new());
    });
}

#[test]
fn a_sweep_counts_what_is_live_late_and_stuck() {
    in_virtual_time(async {
        let world = probe::world();
        let ended = world.start(probe::plain()).await;
        world.drain().await;
        assert!(world.stored(&ended.id).is_ended());
        let swept = |told: &str| assert_eq!(world.observed.said_of("swept").last().map(String::as_str), Some(told));
        world.sweep().await;
        swept("swept 0 live, 0 late, 0 stuck, 0 unreadable");

        world.start(probe::drilled(drill("prepare", "block"))).await;
        world.step().await;
        world.start(request(probe::SPEC.name, "probe:2", json!({}))).await;
        world.sweep().await;
        swept("swept 2 live, 0 late, 0 stuck, 0 unreadable");

        // The one that waits has its time still.
        sleep(World::GRACE).await;
        assert_eq!(world.sweep().await.resent, 1);
        swept("swept 2 live, 1 late, 0 stuck, 0 unreadable");

        sleep(probe::SPEC.budget + Duration::from_secs(3600)).await;
        let report = world.sweep().await;
        assert_eq!((report.live, report.late, report.stuck), (2, 2, 2));
        swept("swept 2 live, 2 late, 2 stuck, 0 unreadable");
        assert!(world.lock_owner(SCOPE).is_some(), "the sweep ends nothing");
    });
}

#[test]
fn a_round_that_does_not_come_to_its_end_is_none() {
    in_virtual_time(async {
        let world = probe::world();
        world.arm("range", Mode::Before);
        world.engine("sweep").sweep().await.expect_err("the index cannot be read");
        assert_eq!(world.observed.said(), Vec::<String>::new());
    });
}
