//! I10: a poison message ends its run, which gives its lock back; or it is no message of ours, and is kept and reported.

use windlass::engine::Poisoned;
use windlass::model::{End, RunId, Scope, Ticket};

use crate::invocation::queue as invoke;
use crate::support::probe::{self, SCOPE, end};
use crate::support::world::{Mode, World, in_virtual_time};

fn kept(world: &World) -> Vec<(String, Vec<u8>)> {
    world.tables.lock().expect("never poisoned").segments.clone().into_iter().collect()
}

#[test]
fn i10_a_poison_ticket_ends_its_run_in_whatever_phase_it_is() {
    for steps in 0..4 {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            for _ in 0..steps {
                world.step().await;
            }
            let ticket = world.stored(&run.id).ticket();
            let function = format!("probe_{}_poison", ticket.phase);
            assert_eq!(invoke(&world, &function, &ticket.to_json()).await, 200);
            let ended = world.stored(&run.id);
            assert_eq!(end(&ended), End::Failed);
            let failure = ended.failure.expect("a cause");
            assert_eq!(failure.code, "poisoned");
            assert!(failure.message.contains(&ticket.phase), "{failure}");
            assert_eq!(world.lock_owner(SCOPE), None);
            world.drain().await;
            assert_eq!(world.verify(), Vec::<String>::new());
        });
    }
}

#[test]
fn i10_a_cancelled_run_whose_ticket_is_poison_was_terminated() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let cancelled = world.engine("client").cancel(&run.id, "tester", "a drill").await.expect("a run to cancel");
        let function = format!("probe_{}_poison", cancelled.phase);
        assert_eq!(invoke(&world, &function, &cancelled.ticket().to_json()).await, 200);
        assert_eq!(end(&world.stored(&run.id)), End::Terminated);
        assert_eq!(world.lock_owner(SCOPE), None);
    });
}

#[test]
fn i10_a_poison_ticket_of_a_run_that_has_moved_on_or_is_being_worked_on_ends_nothing() {
    in_virtual_time(async {
        let world = probe::world();
        let first = world.start(probe::plain()).await;
        world.step().await;
        let second = world.stored(&first.id);
        let at_work = world.freeze_at("append", 1, world.deliver_again("a", &second)).await;
        let held = world.stored(&first.id);
        for run in [&first, &second] {
            let queue = format!("probe-{}", run.phase);
            let answer = world.engine("poison").poisoned(&queue, &run.ticket().to_json()).await;
            assert_eq!(answer.ok(), Some(Poisoned::Harmless));
        }
        assert_eq!(world.stored(&first.id), held);
        at_work.wake().await;
        world.settle().await;
        probe::assert_done(&world, &first.id);
    });
}

#[test]
fn i10_a_message_that_is_no_ticket_is_kept_as_it_is_and_only_once() {
    let nobody = Ticket { run: RunId::new(&Scope::new("probe:9"), 1, 2), phase: "prepare".into(), seq: 0 }.to_json();
    let junk = ["hello", r#"{"run":"x"}"#, r#"{"a":1}"#, &nobody];
    for message in junk {
        in_virtual_time(async {
            let world = probe::world();
            for _ in 0..2 {
                assert_eq!(invoke(&world, "probe_build_poison", message).await, 200);
            }
            let kept = kept(&world);
            let [(name, bytes)] = kept.as_slice() else { panic!("{kept:?}") };
            assert!(name.starts_with("windlass-poison/probe-build/"), "{name}");
            assert_eq!(bytes, message.as_bytes());
            let engine = world.engine("poison");
            let reported = engine.poisoned("probe-build", message).await;
            assert_eq!(reported.ok(), Some(Poisoned::Kept(name.clone())), "the report says where it is");
        });
    }
}

#[test]
fn i10_what_is_no_ticket_is_kept_at_its_first_delivery() {
    in_virtual_time(async {
        let world = probe::world();
        assert_eq!(invoke(&world, "probe_build", "hello").await, 200);
        assert_eq!(kept(&world).len(), 1);
    });
}

#[test]
fn i10_a_poison_message_that_could_not_be_handled_comes_again() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let ticket = run.ticket().to_json();
        world.arm("get run:", Mode::Before);
        assert_eq!(invoke(&world, "probe_prepare_poison", &ticket).await, 500);
        assert!(!world.stored(&run.id).is_ended());
        world.arm("append windlass-poison", Mode::Before);
        assert_eq!(invoke(&world, "probe_prepare_poison", "hello").await, 500);
        assert_eq!(invoke(&world, "probe_prepare_poison", &ticket).await, 200);
        assert!(world.stored(&run.id).is_ended());
    });
}
