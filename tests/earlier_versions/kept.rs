//! Every row, message and segment of the fixtures is read as what it is, and what is sealed holds.

use std::collections::BTreeSet;

use serde_json::Value;
use windlass::model::{GENESIS, RunId, Ticket};
use windlass::pipelines::upgrade::rollout::snapshot::{SNAPSHOT, Snapshot};

use crate::continued::found;
use crate::support::world::in_virtual_time;
use crate::{fixture, fixtures};

#[test]
fn every_kind_of_row_is_among_the_fixtures_and_says_its_schema() {
    let mut kinds = BTreeSet::new();
    for (name, shelf) in fixtures() {
        for (_, key, record) in shelf.each() {
            assert_eq!(record.get("schema"), Some(&Value::from(1)), "{name}: {key}");
            kinds.insert(key.split(':').next().unwrap_or_default().to_owned());
        }
    }
    let expected = ["active", "chain", "doc", "event", "key", "list", "lock", "run"];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn every_run_is_read_and_its_history_holds() {
    for (name, shelf) in fixtures() {
        in_virtual_time(async {
            let world = found(&shelf).await;
            let engine = world.engine("reader");
            for (_, key, _) in shelf.each().filter(|(_, key, _)| key.starts_with("list:")) {
                let id: RunId = {
                    let (run, tag) = key["list:".len()..].split_once(':').expect("a name and a tag");
                    format!("{tag}-{run}").parse().expect("an id")
                };
                let run = engine.run(&id).await.expect("it is read").expect("it is there");
                assert_eq!(run.breach(&engine.history(&id).await.expect("events")), None, "{name}: {id}");
                let listed = engine.list(&run.pipeline, None, 100).await.expect("a list");
                assert!(listed.unreadable.is_empty() && listed.runs.contains(&run), "{name}: {id}");
                let chronicle = engine.chronicle(&run.scope, 100, None).await.expect("a chronicle");
                assert_eq!((chronicle.intact, chronicle.broken), (true, None), "{name}");
                assert!(chronicle.entries.iter().any(|entry| entry.run.first_previous == GENESIS));
            }
            let swept = engine.sweep().await.expect("a round");
            assert_eq!((swept.unreadable, swept.failed, swept.breaches.len()), (0, 0, 0), "{name}: {swept:?}");
        });
    }
}

#[test]
fn every_message_is_a_ticket_of_a_run_that_is_there() {
    let mut read = 0;
    for (name, shelf) in fixtures() {
        let runs = shelf.runs();
        for text in shelf.messages.values().flatten() {
            let ticket = Ticket::read(text).unwrap_or_else(|why| panic!("{name}: {text}: {why}"));
            let run = runs.iter().find(|run| run.id == ticket.run).expect("a run of the fixture");
            assert!(ticket.seq <= run.seq, "{name}: {text}");
            read += 1;
        }
    }
    assert!(read > 5, "{read}");
}

#[test]
fn the_snapshot_that_a_rollout_left_is_read() {
    for name in ["upgrade-rolling-out", "upgrade-validating", "upgrade-succeeded", "upgrade-rolled-back"] {
        in_virtual_time(async {
            let shelf = fixture(name);
            let world = found(&shelf).await;
            let run = shelf.runs().remove(0);
            let found = world.engine("reader").document::<Snapshot>(&run.scope, SNAPSHOT).await;
            let snapshot = found.expect("it is read").expect("it is there");
            assert_eq!(snapshot.job_id, run.id, "{name}");
        });
    }
}
