//! A row that this version cannot read is never written, whoever asks for what, and everything else goes on beside it.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::context::PhaseContext;
use windlass::engine::ports::{StoreError, Stored, Unreadable};
use windlass::engine::{Acknowledged, Outcome, PhaseError, Poisoned, RetryError, StartError, StartRequest, TellError};
use windlass::model::{Progress, Scope, Wake};

use crate::spoil::{SPOILED, is_unreadable, rewrite, row, run_key, set};
use crate::support::probe::{self, SUCCEEDED, assert_done, end};
use crate::support::world::{Came, World, drill, in_virtual_time, request, with_key};
use crate::support::{rig, swap};

#[test]
fn a_row_that_cannot_be_read_is_written_by_nobody_whatever_is_asked() {
    for spoil in SPOILED {
        in_virtual_time(async {
            let world = probe::world();
            let request = || with_key("the-key", probe::drilled(drill("build", "wait")));
            let run = world.start(request()).await;
            world.step().await;
            let before = world.stored(&run.id);
            let key = run_key(&run);
            let spoiled = rewrite(&world, &run, &key, spoil);
            let others: Vec<_> = ["lock", "chain"].map(|key| row(&world, &run, key)).into();
            let engine = world.engine("w");

            for ticket in [run.ticket(), before.ticket()] {
                let queue = format!("probe-{}", ticket.phase);
                assert_eq!(engine.deliver(&queue, &ticket).await.ok(), Some(Acknowledged::SentBack));
                let poisoned = engine.poisoned(&queue, &ticket.to_json()).await.expect("storage answers");
                assert!(matches!(poisoned, Poisoned::Waits(_)), "{poisoned:?}");
            }
            let told = engine.cancel(&run.id, "tester", "a drill").await;
            assert!(matches!(&told, Err(TellError::Store(error)) if is_unreadable(error, &key)), "{told:?}");
            let told = engine.signal(&run.id, "release", json!(true)).await;
            assert!(matches!(&told, Err(TellError::Store(error)) if is_unreadable(error, &key)), "{told:?}");
            let retried = engine.retry(&run.id, "tester", None).await;
            let unreadable =
                matches!(&retried, Err(RetryError::Start(StartError::Store(error))) if is_unreadable(error, &key));
            assert!(unreadable, "{retried:?}");
            let keyed = engine.start(request()).await;
            assert!(matches!(&keyed, Err(StartError::Store(error)) if is_unreadable(error, &key)), "{keyed:?}");
            let started = engine.start(probe::plain()).await;
            assert!(matches!(&started, Err(StartError::Busy { owner, .. }) if *owner == run.id), "{started:?}");
            assert!(is_unreadable(&engine.run(&run.id).await.expect_err("it cannot be read"), &key));
            let page = engine.list("probe", None, 10).await.expect("a list");
            assert_eq!((page.runs, page.unreadable), (Vec::new(), vec![run.id.clone()]));
            let chronicle = engine.chronicle(&run.scope, 10, None).await.expect("a chronicle");
            assert!(chronicle.broken.is_some_and(|broken| broken.contains(&key)));
            sleep(Duration::from_secs(24 * 3600)).await;
            let swept = world.sweep().await;
            assert_eq!((swept.seen, swept.unreadable, swept.failed, swept.resent), (1, 1, 0, 0), "{swept:?}");

            assert_eq!(row(&world, &run, &key), spoiled);
            assert_eq!(["lock", "chain"].map(|key| row(&world, &run, key)).to_vec(), others);
        });
    }
}

#[test]
fn a_run_goes_on_as_soon_as_its_row_can_be_read_again_and_others_never_stop() {
    for spoil in SPOILED {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            let sound = row(&world, &run, &run_key(&run));
            rewrite(&world, &run, &run_key(&run), spoil);
            let other = world.start(StartRequest { scope: Scope::new("probe:2"), ..probe::plain() }).await;
            world.turn(Duration::from_secs(180)).await;
            assert!(world.stored(&other.id).is_ended());
            let mine = world.messages().iter().filter(|message| message.text.contains(&run.id.to_string())).count();
            assert_eq!(mine, 1, "it does not breed");
            assert!(world.sent() < 20, "{} tickets", world.sent());
            rewrite(&world, &run, &run_key(&run), |row| {
                row.record = sound.record.clone();
                row.flaw = None;
            });
            world.settle().await;
            assert_done(&world, &run.id);
        });
    }
}

#[test]
fn rows_beside_a_run_that_cannot_be_read_stop_its_end_and_are_left_as_they_are() {
    for key in ["lock", "chain"] {
        for spoil in [SPOILED[0], SPOILED[5]] {
            in_virtual_time(async {
                let world = probe::world();
                let run = world.start(probe::plain()).await;
                for _ in 0..3 {
                    world.step().await;
                }
                let sound = row(&world, &run, key);
                let spoiled = rewrite(&world, &run, key, spoil);
                assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Worked), "{key}");
                let waits = world.stored(&run.id);
                assert!(
                    matches!(&waits.progress, Progress::Ready { wake: Wake::Waiting { reason }, .. } if reason.contains(key))
                );
                let started = world.engine("c").start(probe::plain()).await;
                match key {
                    "lock" => assert!(matches!(&started, Err(StartError::Busy { owner, .. }) if *owner == run.id)),
                    _ => assert!(matches!(&started, Err(StartError::Store(error)) if is_unreadable(error, key))),
                }
                assert_eq!(world.sweep().await.unreadable, 1);
                assert_eq!(row(&world, &run, key), spoiled);
                assert!(!world.stored(&run.id).is_ended());
                rewrite(&world, &run, key, |row| *row = Stored { version: row.version.clone(), ..sound });
                world.settle().await;
                assert_done(&world, &run.id);
            });
        }
    }
}

#[test]
fn what_cannot_end_because_of_a_row_beside_it_is_not_undone() {
    for key in ["lock", "chain"] {
        in_virtual_time(async {
            let world = swap::world();
            let run = world.start(swap::asked(&swap::Script::default())).await;
            let sound = row(&world, &run, key);
            rewrite(&world, &run, key, SPOILED[5]);
            world.turn(Duration::from_secs(120)).await;
            let waits = world.stored(&run.id);
            assert!(!waits.is_ended() && waits.fallback.is_none(), "{key}: {waits:#?}");
            rewrite(&world, &run, key, |row| *row = Stored { version: row.version.clone(), ..sound });
            world.settle().await;
            let run = world.stored(&run.id);
            assert_eq!((end(&run), run.fallback), (SUCCEEDED, None), "{key}");
        });
    }
}

#[test]
fn a_late_run_gets_its_ticket_though_a_row_that_no_delivery_needs_cannot_be_read() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.lose_messages();
        rewrite(&world, &run, &format!("event:{}:{:08}", run.id.name(), run.events), SPOILED[5]);
        sleep(Duration::from_secs(120)).await;
        let swept = world.sweep().await;
        assert_eq!((swept.unreadable, world.messages().len()), (1, 1), "{swept:?}");
    });
}

#[test]
fn the_newest_run_is_found_behind_one_that_has_ended_and_cannot_be_read() {
    in_virtual_time(async {
        let world = probe::world();
        let older = world.start(probe::plain()).await;
        world.settle().await;
        let newer = world.start(probe::plain()).await;
        let latest =
            async || world.engine("w").latest_of(&newer.scope, &["probe"]).await.map(|run| run.map(|run| run.id));
        rewrite(&world, &newer, &run_key(&newer), |row| row.flaw = Some("it is broken".into()));
        assert!(is_unreadable(&latest().await.expect_err("it holds the scope"), &run_key(&newer)));
        rewrite(&world, &newer, &run_key(&newer), |row| row.flaw = None);
        world.settle().await;
        assert_eq!(latest().await, Ok(Some(newer.id.clone())));
        rewrite(&world, &newer, &run_key(&newer), |row| row.flaw = Some("it is broken".into()));
        assert_eq!(latest().await, Ok(Some(older.id)));
    });
}

#[test]
fn an_index_entry_or_a_key_that_cannot_be_read_is_told_and_stays() {
    in_virtual_time(async {
        let world = probe::world();
        let request = || with_key("the-key", probe::plain());
        let run = world.start(request()).await;
        world.settle().await;
        let keys: Vec<_> = {
            let tables = world.tables.lock().expect("never poisoned");
            let keys = tables.rows.keys().filter(|(_, key)| key.starts_with("active:") || key.starts_with("key:"));
            keys.cloned().collect()
        };
        for place in &keys {
            let mut tables = world.tables.lock().expect("never poisoned");
            set(&mut tables.rows.get_mut(place).expect("a row").record, "schema", json!(2));
        }
        let before = world.tables.lock().expect("never poisoned").rows.clone();
        let swept = world.sweep().await;
        assert_eq!((swept.unreadable, swept.retired), (1, 0), "{swept:?}");
        let started = world.engine("c").start(request()).await;
        assert!(matches!(&started, Err(StartError::Store(StoreError::Unreadable(_)))), "{started:?}");
        assert_eq!(world.tables.lock().expect("never poisoned").rows, before);
        assert!(world.stored(&run.id).is_ended());
    });
}

#[test]
fn a_document_that_cannot_be_read_is_not_written_over_and_a_later_versions_is_tried_again() {
    type Deed = for<'a> fn(&'a mut PhaseContext) -> BoxFuture<'a, Result<Outcome, PhaseError>>;
    let read: Deed = |ctx| async { ctx.document::<u64>("thing").await.map(|_| Outcome::Next) }.boxed();
    let write: Deed = |ctx| async { ctx.set_document("thing", &2).map(|()| Outcome::Next) }.boxed();
    for (deed, spoil, tries) in
        [(read, SPOILED[0], 2), (read, SPOILED[5], 1), (write, SPOILED[0], 1), (write, SPOILED[5], 1)]
    {
        in_virtual_time(async {
            let world = World::of(rig::registry(deed));
            let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
            let outside = world.engine("outside");
            outside.update_document(&run.scope, "thing", |_| Some(1)).await.expect("storage answers");
            let spoiled = rewrite(&world, &run, "doc:thing", spoil);
            world.step().await;
            let after = world.stored(&run.id);
            assert_eq!((after.attempt, after.is_ended()), (tries, tries == 1), "{after:#?}");
            world.drain().await;
            let failure = world.stored(&run.id).failure.expect("a cause");
            assert!(failure.code == "document_unreadable" && failure.message.contains("doc:thing"), "{failure}");
            let answer = outside.update_document(&run.scope, "thing", |_: Option<&u64>| Some(3)).await;
            assert!(matches!(&answer, Err(error) if is_unreadable(error, "doc:thing")), "{answer:?}");
            assert_eq!(row(&world, &run, "doc:thing"), spoiled);
        });
    }
}

#[test]
fn what_cannot_be_read_says_where_it_is_and_what_to_do() {
    let row = Unreadable { key: "p/run:1".into(), schema: Some(2), why: "it is of schema 2".into(), newer: true };
    let said = StoreError::from(row.clone()).to_string();
    assert!(said.contains("p/run:1") && said.contains("schema 2") && said.contains("run the version"), "{said}");
    let said = Unreadable { newer: false, ..row }.to_string();
    assert!(said.contains("restore it"), "{said}");
}
