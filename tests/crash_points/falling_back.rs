//! Around the step that turns a run back.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Poisoned, TellError};
use windlass::model::{End, EventKind, Progress, Run, Wake};

use crate::support::probe::end;
use crate::support::swap::{self, FAILED, SCOPE, Script, watching};
use crate::support::world::{Came, Chaos, Mode, World, in_virtual_time, live};

const WORKED: Came = Came::Acknowledged(Acknowledged::Worked);

/// A run whose next delivery turns it back.
async fn about_to_turn() -> (World, Run) {
    let world = swap::world();
    let run = world.start(swap::asked(&watching("fail"))).await;
    for _ in 0..2 {
        world.step().await;
    }
    let run = world.stored(&run.id);
    (world, run)
}

async fn assert_back(world: &World, run: &Run) {
    let run = world.stored(&run.id);
    assert_eq!(end(&run), FAILED);
    let kinds = world.kinds(&run.id).await;
    assert_eq!(kinds.iter().filter(|kind| **kind == EventKind::FellBack).count(), 1, "{kinds:?}");
    assert_eq!(world.document(SCOPE, "thing"), Some(json!({"is": "old"})));
    assert_eq!(world.lock_owner(SCOPE), None);
    assert_eq!(world.verify(), Vec::<String>::new());
}

#[test]
fn crash_point_07_a_turn_whose_reply_was_lost_is_known_again_by_its_operation() {
    in_virtual_time(async {
        let (world, run) = about_to_turn().await;
        // The first write is the claim.
        world.arm_nth("transact run:", 2, Mode::After);
        assert_eq!(world.step().await, WORKED);
        assert_eq!(world.messages().len(), 1);
        world.drain().await;
        assert_back(&world, &run).await;
    });
}

#[test]
fn crash_point_08_turned_and_the_ticket_not_sent_the_old_ticket_sends_it() {
    for (operation, nth, mode) in [("transact run:", 2, Mode::DieAfter), ("send swap-restore", 1, Mode::DieBefore)] {
        in_virtual_time(async {
            let (world, run) = about_to_turn().await;
            world.arm_nth(operation, nth, mode);
            assert_eq!(world.step().await, Came::Died);
            let turned = world.stored(&run.id);
            assert!(matches!(turned.progress, Progress::Ready { wake: Wake::Entered, .. }));
            assert_eq!(world.lock_owner(SCOPE), Some(run.id.to_string()));
            assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Stale));
            let texts: Vec<String> = world.messages().into_iter().map(|message| message.text).collect();
            assert_eq!(texts, [turned.ticket().to_json()]);
            world.drain().await;
            assert_back(&world, &run).await;
        });
    }
}

#[test]
fn crash_point_08_the_sweep_sends_the_ticket_if_the_old_one_is_lost_too() {
    in_virtual_time(async {
        let (world, run) = about_to_turn().await;
        world.arm("send swap-restore", Mode::DieBefore);
        assert_eq!(world.step().await, Came::Died);
        world.lose_messages();
        sleep(World::GRACE).await;
        let swept = world.sweep().await;
        assert_eq!((swept.resent, swept.breaches), (1, Vec::new()));
        world.drain().await;
        assert_back(&world, &run).await;
    });
}

#[test]
fn crash_point_05_a_worker_that_died_before_the_turn_is_followed_by_one_that_turns() {
    in_virtual_time(async {
        let (world, run) = about_to_turn().await;
        world.arm_nth("transact run:", 2, Mode::DieBefore);
        assert_eq!(world.step().await, Came::Died);
        assert!(world.stored(&run.id).fallback.is_none());
        world.settle().await;
        assert_back(&world, &run).await;
    });
}

#[test]
fn crash_point_09_a_ticket_from_before_the_turn_changes_nothing() {
    in_virtual_time(async {
        let (world, run) = about_to_turn().await;
        world.step().await;
        let turned = world.stored(&run.id);
        assert_eq!(world.deliver_again("late", &run).await, Came::Acknowledged(Acknowledged::Stale));
        assert_eq!((world.stored(&run.id), world.messages().len()), (turned, 1));
        world.drain().await;
        assert_back(&world, &run).await;
    });
}

#[test]
fn crash_point_10_a_worker_that_was_overtaken_turns_nothing_back() {
    in_virtual_time(async {
        let (world, run) = about_to_turn().await;
        world.lose_messages();
        let zombie = world.freeze_at("transact run:", 2, world.deliver_again("zombie", &run)).await;
        sleep(World::LEASE).await;
        assert_eq!(world.deliver_again("heir", &run).await, WORKED);
        let (turned, sent) = (world.stored(&run.id), world.sent());
        assert_eq!(zombie.wake().await, Came::Acknowledged(Acknowledged::Stale));
        assert_eq!((world.stored(&run.id), world.sent()), (turned, sent));
        world.drain().await;
        assert_back(&world, &run).await;
    });
}

#[test]
fn crash_point_13_at_whatever_turn_of_a_delivery_a_cancellation_comes_the_run_goes_back_once() {
    let stuck = Script { swap: "block".into(), ..Script::default() };
    for (script, steps) in [(watching("fail"), 2), (watching("block"), 2), (stuck, 1)] {
        for turns in 0.. {
            let over = in_virtual_time(async {
                let world = swap::world();
                let run = world.start(swap::asked(&script)).await;
                for _ in 0..steps {
                    world.step().await;
                }
                let run = world.stored(&run.id);
                let delivery = World::freeze_after(turns, world.deliver_again("worker", &run)).await;
                let asked = world.engine("operator").cancel(&run.id, "operator", "enough").await;
                let over = delivery.is_err();
                if let Ok(delivery) = delivery {
                    delivery.wake().await;
                }
                world.settle().await;
                let ended = world.stored(&run.id);
                if ended.fallback.is_none() {
                    // It came before there was anything to undo.
                    assert_eq!(
                        (end(&ended), steps, ended.state["swapped"].clone()),
                        (End::Terminated, 1, json!(false))
                    );
                    return over;
                }
                assert_back(&world, &run).await;
                let code = ended.failure.expect("a cause").code;
                match asked {
                    Ok(_) => assert!(code == "cancelled" || code == "sick", "{code}"),
                    Err(TellError::FallingBack) => assert_eq!(code, "sick"),
                    Err(other) => panic!("{other}"),
                }
                over
            });
            if over {
                assert!(turns > 3, "a delivery takes more than {turns} turns");
                break;
            }
        }
    }
}

#[test]
fn crash_point_14_a_poison_handler_that_died_is_made_up_for_at_whatever_write_it_died() {
    let deaths = [("transact run:", 1), ("transact run:", 2), ("send swap-restore", 1)];
    for (operation, nth) in deaths {
        for mode in [Mode::DieBefore, Mode::DieAfter] {
            in_virtual_time(async {
                let (world, run) = about_to_turn().await;
                world.lose_messages();
                let text = run.ticket().to_json();
                world.arm_nth(operation, nth, mode);
                assert!(live(world.engine("poison").poisoned("swap-watch", &text)).await.is_none());
                sleep(World::LEASE).await;
                let again = world.engine("poison").poisoned("swap-watch", &text).await.expect("storage answers");
                let turned = world.stored(&run.id).fallback.map(|fallback| fallback.cause.code);
                assert_eq!(turned.as_deref(), Some("poisoned"), "{again:?}");
                assert!(matches!(again, Poisoned::FellBack | Poisoned::Harmless));
                world.settle().await;
                assert_back(&world, &run).await;
            });
        }
    }
}

#[test]
fn messages_that_come_twice_turn_a_run_back_once() {
    for again in [0, 1_000, 5_000, 60_000, 300_000].map(Duration::from_millis) {
        for (script, ends) in [(watching("fail"), FAILED), (watching("flake"), FAILED), (watching("block"), FAILED)] {
            in_virtual_time(async {
                let world = World::new(1, Chaos::none().with_every_message_again(Some(again)), swap::registry());
                let run = world.start(swap::asked(&script)).await;
                world.settle().await;
                assert_back(&world, &run).await;
                assert_eq!(end(&world.stored(&run.id)), ends);
            });
        }
    }
}

#[test]
fn a_way_back_that_fails_ends_the_run_and_releases_the_scope_whatever_dies() {
    for nth in 1..=4 {
        in_virtual_time(async {
            let world = swap::world();
            let script = Script { restore: "fail".into(), ..watching("fail") };
            let run = world.start(swap::asked(&script)).await;
            for _ in 0..3 {
                world.step().await;
            }
            world.arm_nth("transact run:", nth, Mode::DieBefore);
            world.settle().await;
            let run = world.stored(&run.id);
            assert_eq!(end(&run), End::Failed);
            assert_eq!(run.failure.expect("a cause").detail["cause"]["code"], "sick");
            assert_eq!(world.lock_owner(SCOPE), None);
        });
    }
}
