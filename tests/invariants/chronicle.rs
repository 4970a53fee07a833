//! What a chronicle finds: five runs of one scope on the embedded storage, and somebody who tampers with their rows.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass::app::SystemClock;
use windlass::engine::ports::{Record, RunStore, Stored, Write};
use windlass::engine::{Chronicle, Engine, Settings, StartRequest};
use windlass::model::{Event, Run, Scope, Ticket};
use windlass::storage::Operations;
use windlass::storage::embedded::Embedded;

use crate::support::probe::{self, PHASES};

const SCOPE: &str = "probe:told";
/// Of an undisturbed probe.
const EVENTS: u64 = 5;

struct Told {
    engine: Engine,
    store: Embedded,
    /// The oldest first.
    runs: Vec<Run>,
    _folder: tempfile::TempDir,
}

impl Told {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Embedded::open(folder.path(), Operations::default()).expect("a store");
        let ports = Arc::new(store.clone());
        let clock = Arc::new(SystemClock);
        let engine = Engine::new(probe::registry(), ports.clone(), ports.clone(), ports, clock, Settings::default());
        let mut told = Self { engine, store, runs: Vec::new(), _folder: folder };
        for _ in 0..5 {
            told.run().await;
        }
        told
    }

    async fn run(&mut self) {
        let request = StartRequest {
            pipeline: "probe",
            scope: Scope::new(SCOPE),
            input: json!({}),
            started_by: "tester".into(),
            idempotency_key: None,
        };
        let run = self.engine.start(request).await.expect("a start").run;
        for phase in PHASES {
            let queue = format!("probe-{phase}");
            let mut received =
                self.store.receive_messages(&queue, 1, Duration::from_secs(60)).await.expect("a receive");
            let ticket: Ticket = serde_json::from_str(&received.remove(0).text).expect("a ticket");
            self.engine.deliver(&queue, &ticket).await.expect("a delivery");
        }
        self.runs.push(self.engine.run(&run.id).await.expect("an answer").expect("a run"));
    }

    async fn chronicle(&self) -> Chronicle {
        self.engine.chronicle(&Scope::new(SCOPE), 100, None).await.expect("a chronicle")
    }

    async fn get(&self, key: &str) -> Stored {
        let partition = Scope::new(SCOPE).tag();
        self.store.get(partition.as_str(), key).await.expect("an answer").expect("a row")
    }

    async fn write(&self, write: Write) {
        let partition = Scope::new(SCOPE).tag();
        self.store.transact(partition.as_str(), vec![write]).await.expect("a write");
    }

    async fn remove(&self, key: &str) {
        let version = self.get(key).await.version;
        self.write(Write::Delete { key: key.to_owned(), version }).await;
    }

    async fn replace(&self, key: &str, change: impl FnOnce(&mut Record)) {
        let Stored { version, mut record, .. } = self.get(key).await;
        change(&mut record);
        self.write(Write::Replace { key: key.to_owned(), version, record }).await;
    }

    fn run_key(&self, run: usize) -> String {
        format!("run:{}", self.runs[run].id.name())
    }

    fn event_key(&self, run: usize, number: u64) -> String {
        format!("event:{}:{number:08}", self.runs[run].id.name())
    }

    async fn remove_run(&self, run: usize) {
        self.remove(&self.run_key(run)).await;
        for number in 1..=EVENTS {
            self.remove(&self.event_key(run, number)).await;
        }
    }

    /// The runs that are listed, by their place in `runs`, and whether they are intact; the newest first.
    async fn listed(&self) -> Vec<(usize, bool)> {
        let place = |run: &Run| self.runs.iter().position(|known| known.id == run.id).expect("a run of ours");
        self.chronicle().await.entries.iter().map(|entry| (place(&entry.run), entry.intact)).collect()
    }

    async fn assert_broken(&self, words: &str, run: usize, listed: &[(usize, bool)]) {
        let chronicle = self.chronicle().await;
        let broken = chronicle.broken.expect("something is broken");
        assert!(!chronicle.intact);
        assert!(broken.contains(words) && broken.contains(&self.runs[run].id.to_string()), "{broken}");
        assert_eq!(self.listed().await, listed, "{broken}");
    }
}

#[tokio::test]
async fn five_runs_that_nobody_touched_hold() {
    let told = Told::new().await;
    let chronicle = told.chronicle().await;
    assert_eq!((chronicle.broken, chronicle.begins_at, chronicle.intact), (None, None, true));
    assert_eq!(told.listed().await, [(4, true), (3, true), (2, true), (1, true), (0, true)]);
    assert!(chronicle.entries.iter().all(|entry| entry.events.len() as u64 == EVENTS));
}

#[tokio::test]
async fn a_changed_event_is_found() {
    let told = Told::new().await;
    told.replace(&told.event_key(2, 3), |event| drop(event.insert("phase".into(), "verify".into()))).await;
    let listed = [(4, true), (3, true), (2, false), (1, true), (0, true)];
    told.assert_broken("event 3 of run", 2, &listed).await;
}

#[tokio::test]
async fn an_event_that_was_removed_in_the_middle_or_at_the_end_is_found() {
    for number in [1, 3, EVENTS] {
        let told = Told::new().await;
        told.remove(&told.event_key(4, number)).await;
        let listed = [(4, false), (3, true), (2, true), (1, true), (0, true)];
        told.assert_broken(&format!("event {number} of run"), 4, &listed).await;
    }
}

#[tokio::test]
async fn an_event_that_was_added_or_cannot_be_read_is_found() {
    let told = Told::new().await;
    let record = told.get(&told.event_key(1, EVENTS)).await.record;
    told.write(Write::Insert { key: told.event_key(1, EVENTS + 1), record }).await;
    let listed = [(4, true), (3, true), (2, true), (1, false), (0, true)];
    told.assert_broken("event 6 of run", 1, &listed).await;

    let told = Told::new().await;
    told.replace(&told.event_key(1, 2), |event| drop(event.remove("hash"))).await;
    told.assert_broken("cannot be read", 1, &listed).await;
}

#[tokio::test]
async fn a_newest_run_that_was_removed_is_found() {
    let told = Told::new().await;
    told.remove_run(4).await;
    let listed = [(3, false), (2, true), (1, true), (0, true)];
    told.assert_broken("is missing", 4, &listed).await;
    for run in 0..4 {
        told.remove_run(run).await;
    }
    told.assert_broken("is missing", 4, &[]).await;
}

#[tokio::test]
async fn a_run_that_was_removed_in_the_middle_is_found_on_both_sides() {
    let told = Told::new().await;
    told.remove_run(2).await;
    told.assert_broken("does not follow", 3, &[(4, true), (3, false), (1, false), (0, true)]).await;
}

#[tokio::test]
async fn a_run_whose_story_was_told_anew_is_found_by_its_neighbour() {
    let told = Told::new().await;
    let mut run = told.runs[2].clone();
    let mut previous = run.first_previous.clone();
    for number in 1..=EVENTS {
        let key = told.event_key(2, number);
        let event: Event = serde_json::from_value(Value::Object(told.get(&key).await.record)).expect("an event");
        let detail = if number == 1 { json!({"by": "somebody else"}) } else { event.detail.clone() };
        let forged = Event { detail, previous, ..event }.sealed();
        previous = forged.hash.clone();
        told.replace(&key, |record| {
            record.insert("detail".into(), forged.detail);
            record.insert("previous".into(), forged.previous.into());
            record.insert("hash".into(), forged.hash.into());
        })
        .await;
    }
    run.last_hash = previous;
    told.replace(&told.run_key(2), |record| drop(record.insert("last_hash".into(), run.last_hash.into()))).await;
    told.assert_broken("does not follow", 3, &[(4, true), (3, false), (2, false), (1, true), (0, true)]).await;
}

#[tokio::test]
async fn two_runs_that_changed_places_are_found() {
    let told = Told::new().await;
    let [one, other] = [told.get(&told.run_key(1)).await.record, told.get(&told.run_key(2)).await.record];
    told.replace(&told.run_key(1), |record| *record = other).await;
    told.replace(&told.run_key(2), |record| *record = one).await;
    let chronicle = told.chronicle().await;
    let broken = chronicle.broken.expect("something is broken");
    assert!(broken.contains(&told.run_key(2)), "{broken}");
    assert_eq!(told.listed().await, [(4, true), (3, false), (0, true)]);
}

#[tokio::test]
async fn old_runs_may_be_removed_and_the_chronicle_says_where_it_begins() {
    let told = Told::new().await;
    told.remove_run(0).await;
    told.remove_run(1).await;
    let chronicle = told.chronicle().await;
    assert_eq!((chronicle.broken, chronicle.begins_at), (None, Some(told.runs[2].id.clone())));
    assert_eq!(told.listed().await, [(4, true), (3, true), (2, true)]);
}

#[tokio::test]
async fn a_chain_that_was_removed_or_set_back_is_found() {
    let told = Told::new().await;
    let before = told.get("chain").await.record;
    let mut told = told;
    told.run().await;
    told.replace("chain", |chain| *chain = before).await;
    let listed = [(5, false), (4, true), (3, true), (2, true), (1, true), (0, true)];
    told.assert_broken("is newer than", 5, &listed).await;
    told.remove("chain").await;
    told.assert_broken("`chain` is missing", 5, &listed).await;
}

#[tokio::test]
async fn a_chain_that_counts_other_runs_than_there_are_is_found() {
    for runs in [4, 6] {
        let told = Told::new().await;
        told.replace("chain", |chain| drop(chain.insert("runs".into(), runs.into()))).await;
        let broken = told.chronicle().await.broken.expect("something is broken");
        assert!(broken.contains(&format!("counts {runs} runs")), "{broken}");
    }
}

#[tokio::test]
async fn a_row_that_is_cut_off_from_its_end_does_not_join_the_chain() {
    let told = Told::new().await;
    told.remove(&told.event_key(4, EVENTS)).await;
    let event: Event =
        serde_json::from_value(Value::Object(told.get(&told.event_key(4, EVENTS - 1)).await.record)).expect("an event");
    told.replace(&told.run_key(4), |record| {
        record.insert("events".into(), (EVENTS - 1).into());
        record.insert("last_hash".into(), event.hash.into());
    })
    .await;
    let listed = [(4, false), (3, true), (2, true), (1, true), (0, true)];
    told.assert_broken("the chain ends with another event", 4, &listed).await;
}
