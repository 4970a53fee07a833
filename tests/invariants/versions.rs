//! What belongs to a later version (a ticket, a phase, a field) waits for it or is carried along: it is not ended, not
//! poisoned and not lost.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Poisoned};
use windlass::model::{End, EventKind, Progress, Run, Ticket, Wake};

use crate::invocation::queue as invoke;
use crate::spoil::{SPOILED, rewrite, row, run_key, set};
use crate::support::probe::{self, SCOPE, assert_done, end};
use crate::support::world::{Came, World, in_virtual_time};

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
