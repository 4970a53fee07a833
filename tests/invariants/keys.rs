//! I8: one run per idempotency key; the same key with another payload is refused.

use serde_json::json;
use windlass::engine::{StartError, StartRequest};

use crate::support::probe::{self, SCOPE, assert_done};
use crate::support::world::{World, drill, in_virtual_time, request, with_key};

fn keyed() -> StartRequest {
    with_key("k", probe::plain())
}

#[test]
fn i8_one_key_starts_one_run_at_whatever_turn_the_second_request_comes() {
    for turns in 0.. {
        let over = in_virtual_time(async {
            let world = probe::world();
            let first = World::freeze_after(turns, world.ask(keyed())).await;
            let over = first.is_err();
            let second = world.ask(keyed()).await.expect("alive").expect("a run");
            let first = match first {
                Ok(frozen) => frozen.wake().await,
                Err(came) => came,
            };
            let first = first.expect("alive").expect("a run");
            assert_eq!(first.run, second.run, "both are told of the run as it is stored");
            assert!(first.replayed != second.replayed, "one of them started it");
            assert_eq!(world.runs().len(), 1);
            world.drain().await;
            assert_done(&world, &first.run.id);
            over
        });
        if over {
            assert!(turns > 3, "a start takes more than {turns} turns");
            return;
        }
    }
}

#[test]
fn i8_a_key_finds_its_run_again_after_it_has_ended_and_when_others_have_run_since() {
    in_virtual_time(async {
        let world = probe::world();
        let first = world.start(keyed()).await;
        world.drain().await;
        world.start(probe::plain()).await;
        let again = world.ask(keyed()).await.expect("alive").expect("a run");
        assert!(again.replayed && again.run.is_ended());
        assert_eq!(again.run, world.stored(&first.id));
        world.drain().await;
        assert_eq!(world.runs().len(), 2);
    });
}

#[test]
fn i8_the_same_key_with_another_payload_is_refused_and_starts_nothing() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(keyed()).await;
        let others: [fn() -> StartRequest; 2] = [
            || with_key("k", probe::drilled(drill("build", "wait"))),
            || StartRequest { started_by: "somebody else".into(), ..keyed() },
        ];
        for _ in ["while it runs", "after its end"] {
            for other in others {
                let refused = world.ask(other()).await.expect("alive").expect_err("another payload");
                assert!(matches!(&refused, StartError::KeyReused(owner) if *owner == run.id), "{refused}");
            }
            world.drain().await;
        }
        assert_eq!(world.runs().len(), 1);
    });
}

#[test]
fn i8_the_order_of_fields_makes_no_other_payload() {
    in_virtual_time(async {
        let world = probe::world();
        let text = [
            r#"{"drill":{"phase":"build","action":"wait","seconds":1}}"#,
            r#"{"drill":{"seconds":1,"action":"wait","phase":"build"}}"#,
        ];
        let [one, other] = text.map(|text| serde_json::from_str(text).expect("JSON"));
        let first = world.start(with_key("k", probe::drilled(one))).await;
        let again = world.ask(with_key("k", probe::drilled(other))).await.expect("alive").expect("the same request");
        assert!(again.replayed && again.run.id == first.id);
    });
}

#[test]
fn i8_keys_of_two_scopes_and_two_keys_of_one_scope_have_nothing_to_do_with_each_other() {
    in_virtual_time(async {
        let world = probe::world();
        let first = world.start(keyed()).await;
        let elsewhere = world.start(with_key("k", request(probe::SPEC.name, "probe:2", json!({})))).await;
        assert_ne!(first.id, elsewhere.id);
        let busy =
            world.ask(with_key("k/2 #?\\", probe::plain())).await.expect("alive").expect_err("the scope is busy");
        assert!(matches!(busy, StartError::Busy { owner, .. } if owner == first.id));
        world.drain().await;
        let second = world.start(with_key("k/2 #?\\", probe::plain())).await;
        assert_ne!(first.id, second.id);
        assert_eq!(world.lock_owner(SCOPE), Some(second.id.to_string()));
    });
}
