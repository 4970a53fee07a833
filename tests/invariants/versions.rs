//! What this version cannot read, or does not know the phase of, waits: it is not ended, not poisoned and never written,
//! whoever asks for what, and everything else goes on beside it.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::ServiceExt;
use windlass::engine::context::PhaseContext;
use windlass::engine::ports::{Record, StoreError, Stored, Unreadable, Version};
use windlass::engine::{Acknowledged, Outcome, PhaseError, Poisoned, RetryError, StartError, StartRequest, TellError};
use windlass::model::{End, EventKind, Progress, Run, Scope, Ticket, Wake};
use windlass::triggers;

use crate::support::probe::{self, SCOPE, SUCCEEDED, assert_done, end};
use crate::support::world::{Came, World, drill, in_virtual_time, request, with_key};
use crate::support::{rig, swap};

const PORT: u16 = 4000;

/// An invocation as the host makes it; the status of the answer.
async fn invoke(world: &World, function: &str, message: &str) -> u16 {
    let router = triggers::router(world.engine("handler"), &[&probe::SPEC], PORT);
    let body = json!({"Data": {"ticket": json!(message).to_string()}, "Metadata": {"DequeueCount": "1"}}).to_string();
    let invocation = Request::post(format!("/{function}"))
        .header("host", format!("127.0.0.1:{PORT}"))
        .header("user-agent", "Azure-Functions-Host/4.1037.0.0")
        .header("transfer-encoding", "chunked")
        .body(Body::from(body))
        .expect("a request");
    router.oneshot(invocation).await.expect("a router always answers").status().as_u16()
}

fn row(world: &World, run: &Run, key: &str) -> Stored {
    let place = (run.id.tag().to_string(), key.to_owned());
    world.tables.lock().expect("never poisoned").rows.get(&place).expect("a row").clone()
}

fn run_key(run: &Run) -> String {
    format!("run:{}", run.id.name())
}

/// Changes a row past the engine, as another version does.
fn rewrite(world: &World, run: &Run, key: &str, change: impl FnOnce(&mut Stored)) -> Stored {
    let mut tables = world.tables.lock().expect("never poisoned");
    let version = Version(tables.fresh().to_string());
    let row = tables.rows.get_mut(&(run.id.tag().to_string(), key.to_owned())).expect("a row");
    row.version = version;
    change(row);
    row.clone()
}

fn set(record: &mut Record, field: &str, value: Value) {
    record.insert(field.to_owned(), value);
}

/// The ways in which a row may be nothing that this version can read.
const SPOILED: [fn(&mut Stored); 6] = [
    |row| set(&mut row.record, "schema", json!(2)),
    |row| row.record = Record::from_iter([("schema".to_owned(), json!(7)), ("all".to_owned(), json!("else"))]),
    |row| drop(row.record.remove("schema")),
    |row| drop(row.record.remove("seq")),
    |row| set(&mut row.record, "progress", json!({"kind": "dreaming"})),
    |row| row.flaw = Some("the column 'state__json' holds nothing that this program wrote".into()),
];

fn is_unreadable(error: &StoreError, key: &str) -> bool {
    matches!(error, StoreError::Unreadable(row) if row.key.ends_with(key))
}

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
fn a_ticket_of_a_later_version_comes_again_and_again_and_is_never_poison() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.lose_messages();
        let later = format!(r#"{{"schema":2,"run":"{}","step":{{"of":"prepare"}}}}"#, run.id);
        for _ in 0..12 {
            assert_eq!(invoke(&world, "probe_prepare", &later).await, 200);
            let messages = world.messages();
            let [message] = messages.as_slice() else { panic!("{messages:?}") };
            assert_eq!((message.queue.as_str(), &message.text, message.dequeued), ("probe-prepare", &later, 0));
            let pause = message.visible_at.since(world.now());
            assert!((15..=120).contains(&pause.as_secs()), "{pause:?}");
            sleep(pause).await;
            world.lose_messages();
        }
        assert_eq!(world.stored(&run.id), run);
        // Its run is over, so nobody waits for it any more.
        world.settle().await;
        assert_eq!(invoke(&world, "probe_prepare", &later).await, 200);
        assert_eq!(world.messages().len(), 0);
    });
}

#[test]
fn a_ticket_of_a_later_version_that_became_poison_is_kept_and_ends_nothing() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let later = format!(r#"{{"schema":2,"run":"{}"}}"#, run.id);
        assert_eq!(invoke(&world, "probe_prepare_poison", &later).await, 200);
        let kept = world.tables.lock().expect("never poisoned").segments.clone();
        let kept: Vec<_> = kept.into_values().map(|bytes| String::from_utf8(bytes).expect("a text")).collect();
        assert_eq!(kept, [later]);
        assert_eq!(world.stored(&run.id), run);
        world.settle().await;
        assert_done(&world, &run.id);
    });
}

/// A run that a later version has taken into a phase of its own, and let go there.
async fn painting(world: &World) -> Run {
    let run = world.start(probe::plain()).await;
    world.step().await;
    world.lose_messages();
    let sound = world.stored(&run.id);
    rewrite(world, &run, &run_key(&run), |row| set(&mut row.record, "phase", json!("painting")));
    Run { phase: "painting".into(), ..sound }
}

#[test]
fn a_run_in_a_phase_that_is_not_known_waits_and_is_told_of() {
    in_virtual_time(async {
        let world = probe::world();
        let run = painting(&world).await;
        sleep(Duration::from_secs(10)).await;
        let engine = world.engine("w");
        // Its own ticket, and the one before it, whose worker may have died before it handed over.
        assert_eq!(engine.deliver("probe-painting", &run.ticket()).await.ok(), Some(Acknowledged::SentBack));
        let earlier = Ticket { seq: run.seq - 1, phase: "prepare".into(), ..run.ticket() };
        assert_eq!(engine.deliver("probe-prepare", &earlier).await.ok(), Some(Acknowledged::SentBack));
        assert_eq!(
            world.messages().iter().map(|message| message.queue.as_str()).collect::<Vec<_>>(),
            ["probe-painting", "probe-prepare"]
        );
        let poisoned = engine.poisoned("probe-painting", &run.ticket().to_json()).await.expect("storage answers");
        assert!(matches!(poisoned, Poisoned::Waits(_)), "{poisoned:?}");
        sleep(Duration::from_secs(24 * 3600)).await;
        let swept = world.sweep().await;
        assert_eq!((swept.unreadable, swept.resent, swept.breaches.len()), (1, 0, 0), "{swept:?}");
        let page = engine.list("probe", None, 10).await.expect("a list");
        assert_eq!(page.runs, std::slice::from_ref(&run));
        assert_eq!(world.stored(&run.id), run);
        // A version is there that knows it.
        rewrite(&world, &run, &run_key(&run), |row| set(&mut row.record, "phase", json!("build")));
        world.tables.lock().expect("never poisoned").messages.clear();
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), End::Failed, "its budget was over long ago");
    });
}

#[test]
fn a_person_may_end_a_run_in_a_phase_that_nobody_knows_once_nobody_has_come() {
    in_virtual_time(async {
        let world = probe::world();
        let run = painting(&world).await;
        let engine = world.engine("w");
        let asked = engine.cancel(&run.id, "tester", "it was enough").await.expect("a run to cancel");
        assert!(matches!(asked.progress, Progress::Ready { wake: Wake::Cancelling, .. }), "{asked:?}");
        assert_eq!(world.messages().len(), 0, "nobody is known to listen there");
        sleep(Duration::from_secs(200)).await;
        let still = engine.cancel(&run.id, "tester", "again").await.expect("a run to cancel");
        assert!(!still.is_ended());
        sleep(Duration::from_secs(101)).await;
        let ended = engine.cancel(&run.id, "tester", "again").await.expect("a run to cancel");
        assert_eq!(end(&ended), End::Terminated);
        assert_eq!(world.lock_owner(SCOPE), None);
        assert_eq!(world.kinds(&run.id).await.last(), Some(&EventKind::Terminated));
        world.tables.lock().expect("never poisoned").messages.clear();
        world.settle().await;
    });
}

#[test]
fn a_run_that_a_worker_holds_in_a_phase_unknown_here_is_left_to_it() {
    in_virtual_time(async {
        let world = probe::world();
        let run = painting(&world).await;
        let now = world.now();
        rewrite(&world, &run, &run_key(&run), |row| {
            let expires_at = now + Duration::from_secs(100_000);
            let lease = json!({"kind": "leased", "lease": {"owner": "later", "expires_at": expires_at}});
            set(&mut row.record, "progress", lease);
        });
        sleep(Duration::from_secs(50_000)).await;
        let asked = world.engine("w").cancel(&run.id, "tester", "a drill").await.expect("a run to cancel");
        assert!(matches!(&asked.progress, Progress::Leased { lease } if lease.owner == "later"), "{asked:?}");
        assert!(asked.cancel.is_some());
    });
}

#[test]
fn a_worker_whose_run_a_later_version_has_written_meanwhile_loses_it() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        let at_work = world.freeze_at("transact run:", 2, world.deliver_again("a", &run)).await;
        let later = rewrite(&world, &run, &run_key(&run), SPOILED[0]);
        assert_eq!(at_work.wake().await, Came::Acknowledged(Acknowledged::Stale));
        assert_eq!(row(&world, &run, &run_key(&run)), later);
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
fn fields_that_a_later_version_adds_without_a_change_of_schema_survive() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        for key in [run_key(&run), "chain".to_owned()] {
            rewrite(&world, &run, &key, |row| {
                set(&mut row.record, "mood", json!("good"));
                set(&mut row.record, "more", json!({"of": [1, null]}));
            });
        }
        world.settle().await;
        assert_done(&world, &run.id);
        for key in [run_key(&run), "chain".to_owned()] {
            let record = row(&world, &run, &key).record;
            assert_eq!((&record["mood"], &record["more"]), (&json!("good"), &json!({"of": [1, null]})), "{key}");
            assert_eq!(record["schema"], json!(1));
        }
        assert_eq!(row(&world, &run, &run_key(&run)).record["status"], json!("Completed"));
    });
}

#[test]
fn what_cannot_be_read_says_where_it_is_and_what_to_do() {
    let row = Unreadable { key: "p/run:1".into(), schema: Some(2), why: "it is of schema 2".into(), newer: true };
    let said = StoreError::from(row.clone()).to_string();
    assert!(said.contains("p/run:1") && said.contains("schema 2") && said.contains("run the version"), "{said}");
    let said = Unreadable { newer: false, ..row }.to_string();
    assert!(said.contains("restore it"), "{said}");
}
