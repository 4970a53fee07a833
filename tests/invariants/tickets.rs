//! I9: one delivery emits at most one successor.

use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Outcome};
use windlass::model::Ticket;

use crate::support::probe::{self, PHASES, SUCCEEDED, assert_done, end};
use crate::support::rig;
use crate::support::world::{Came, Chaos, World, drill, in_virtual_time, request};

#[test]
fn i9_every_delivery_of_a_run_sends_one_ticket_and_the_last_one_none() {
    let tickets =
        [(json!({}), 4), (drill("build", "wait"), 5), (drill("build", "flake"), 4), (drill("build", "fail"), 2)];
    for (input, expected) in tickets {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::drilled(input)).await;
            while !world.stored(&run.id).is_ended() {
                let before = world.sent();
                world.step().await;
                let ended = world.stored(&run.id).is_ended();
                assert_eq!(world.sent() - before, u64::from(!ended));
            }
            assert_eq!(world.sent(), expected);
        });
    }
}

#[test]
fn i9_a_second_delivery_sends_one_ticket_at_most_and_that_one_only_where_it_may_be_missing() {
    in_virtual_time(async {
        let world = probe::world();
        let mut past = vec![world.start(probe::plain()).await];
        for now in 1..PHASES.len() {
            world.lose_messages();
            let current = world.stored(&past[0].id);
            assert_eq!(world.deliver_again("a", &current).await, Came::Acknowledged(Acknowledged::Worked));
            for late in [false, true] {
                for (then, run) in past.iter().enumerate() {
                    let before = world.sent();
                    assert_eq!(world.deliver_again("b", run).await, Came::Acknowledged(Acknowledged::Stale));
                    let missing = late && then + 1 == now;
                    assert_eq!(world.sent() - before, u64::from(missing), "seq {then} at seq {now}, late: {late}");
                }
                // Long enough for the worker to have handed over, if it lives.
                sleep(Duration::from_secs(5)).await;
            }
            past.push(world.stored(&past[0].id));
        }
        world.drain().await;
        assert_done(&world, &past[0].id);
    });
}

#[test]
fn i9_a_ticket_that_comes_before_its_time_is_sent_once_more_and_moves_nothing() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("prepare", "wait"))).await;
        world.step().await;
        let (waiting, sent) = (world.stored(&run.id), world.sent());
        assert_eq!(world.deliver_again("b", &waiting).await, Came::Acknowledged(Acknowledged::Early));
        assert_eq!((world.stored(&run.id), world.sent()), (waiting, sent + 1));
        world.drain().await;
        assert_done(&world, &run.id);
    });
}

#[test]
fn i9_a_ticket_that_was_never_sent_sends_nothing_and_moves_nothing() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let (before, sent) = (world.stored(&run.id), world.sent());
        let true_one = before.ticket();
        let forged = [
            ("probe-prepare", Ticket { seq: 7, ..true_one.clone() }),
            ("probe-build", Ticket { phase: "build".into(), ..true_one.clone() }),
            ("probe-build", true_one.clone()),
            ("probe-nowhere", Ticket { phase: "nowhere".into(), ..true_one }),
        ];
        for (queue, ticket) in forged {
            let answer = world.engine("b").deliver(queue, &ticket).await;
            assert_eq!(answer.ok(), Some(Acknowledged::Unknown), "{queue} {ticket:?}");
        }
        assert_eq!((world.stored(&run.id), world.sent()), (before, sent));
    });
}

/// The tickets of a run that waits twelve times, two seconds each, in a world whose messages may come again.
fn tickets_of_twelve_waits(again: Option<Duration>) -> u64 {
    in_virtual_time(async {
        let registry = rig::registry(|ctx| {
            async {
                let waited = ctx.state::<u64>()?;
                ctx.set_state(&(waited + 1))?;
                if waited == 12 {
                    return Ok(Outcome::Next);
                }
                Ok(Outcome::Wait { after: Duration::from_secs(2), reason: "once more".into() })
            }
            .boxed()
        });
        let world = World::new(1, Chaos::none().with_every_message_again(again), registry);
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);
        world.sent()
    })
}

#[test]
fn i9_doubled_deliveries_do_not_breed() {
    assert_eq!(tickets_of_twelve_waits(None), 14);
    for again in [0, 500, 1_000, 1_500, 3_000, 60_000].map(Duration::from_millis) {
        assert_eq!(tickets_of_twelve_waits(Some(again)), 14, "each comes again after {again:?}");
    }
}

#[test]
fn i9_a_late_duplicate_has_one_successor_and_that_one_has_none() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("prepare", "wait"))).await;
        world.step().await;
        sleep(Duration::from_secs(10)).await;
        assert_eq!(world.deliver_again("b", &run).await, Came::Acknowledged(Acknowledged::Stale));
        assert_eq!(world.messages().len(), 2);
        world.drain().await;
        assert_eq!(world.sent(), 6, "five deliveries need a ticket, and one was doubled");
        assert_done(&world, &run.id);
    });
}
