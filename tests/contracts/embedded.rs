//! What only the embedded store promises.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use windlass::engine::ports::{Appended, LogStore, RunStore, StoreError, Write};
use windlass::storage::embedded::Embedded;
use windlass::storage::{Operations, Spent};

use super::subject::record;

const LONG: Duration = Duration::from_secs(60);

fn open(directory: &Path) -> Embedded {
    Embedded::open(directory, Operations::default()).unwrap()
}

fn insert(key: String, n: u64) -> Write {
    Write::Insert { key, record: record(json!({ "n": n })) }
}

async fn put(store: &Embedded, queue: &str) {
    store.put_message(queue, "x", Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_segment_is_full_after_its_blocks_and_the_log_goes_on_in_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open_with(directory.path(), Operations::default(), 3).unwrap();
    let append =
        async |segment: &str, position| store.append(segment, position, Bytes::from_static(b"ab")).await.unwrap();
    for position in [0, 2, 4] {
        assert_eq!(append("logs/run/a.0.log", position).await, Appended::Written);
    }
    assert_eq!(append("logs/run/a.0.log", 5).await, Appended::Elsewhere { length: 6 });
    assert_eq!(append("logs/run/a.0.log", 6).await, Appended::Full);
    assert_eq!(append("logs/run/a.1.log", 0).await, Appended::Written);
    assert_eq!(store.read("logs/run/a.0.log", 0, 100).await.unwrap(), "ababab");
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("deeper/still");
    let store = open(&inner);
    let version = store.transact("p", vec![insert("k".into(), 1)]).await.unwrap().remove(0);
    store.append("logs/a", 0, Bytes::from_static(b"abc")).await.unwrap();
    put(&store, "queue").await;
    drop(store);
    let store = open(&inner);
    assert_eq!(store.get("p", "k").await.unwrap().unwrap().version, version);
    assert_eq!(store.read("logs/a", 1, 9).await.unwrap(), "bc");
    assert_eq!(store.receive_messages("queue", 9, LONG).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_of_another_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let file = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    let answer = Embedded::open(directory.path(), Operations::default());
    assert!(matches!(answer, Err(StoreError::Refused(why)) if why.contains("99")));
}

#[tokio::test]
async fn an_expired_message_is_not_received_and_gives_its_place_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    put(&store, "queue").await;
    let file = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
    file.execute("UPDATE messages SET expires_at = inserted_at", []).unwrap();
    assert!(store.receive_messages("queue", 9, LONG).await.unwrap().is_empty());
    assert!(store.peek_messages("queue", 9).await.unwrap().is_empty());
    assert_eq!(store.next_visible("queue").await, Ok(None));
    open(directory.path());
    assert_eq!(file.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)), Ok(0));
}

#[tokio::test]
async fn operations_are_counted_by_what_azure_would_bill() {
    let directory = tempfile::tempdir().unwrap();
    let operations = Operations::default();
    let store = Embedded::open(directory.path(), operations.clone()).unwrap();
    store.transact("p", vec![insert("a".into(), 1), insert("b".into(), 1)]).await.unwrap();
    store.get("p", "a").await.unwrap();
    store.range("p", "", "~", 9).await.unwrap();
    put(&store, "queue").await;
    let message = store.receive_messages("queue", 1, LONG).await.unwrap().remove(0);
    store.delete_message("queue", &message.id, &message.pop_receipt).await.unwrap();
    store.append("logs/a", 0, Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(operations.snapshot(), Spent { queue: 3, table: 3, log: 1 });
    // What is refused before it is tried costs nothing.
    store.transact("p", vec![insert("a/b".into(), 1)]).await.unwrap_err();
    assert_eq!(operations.snapshot().table, 3);
}

#[tokio::test]
async fn the_next_message_to_show_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert_eq!(store.next_visible("queue").await, Ok(None));
    store.put_message("queue", "x", LONG).await.unwrap();
    let late = store.next_visible("queue").await.unwrap().unwrap();
    put(&store, "queue").await;
    let soon = store.next_visible("queue").await.unwrap().unwrap();
    assert!(late.since(soon) > LONG / 2);
    let message = store.receive_messages("queue", 9, LONG * 2).await.unwrap().remove(0);
    assert_eq!(store.next_visible("queue").await, Ok(Some(late)));
    assert!(message.next_visible_at > late);
}

#[tokio::test]
async fn a_row_that_no_version_wrote_is_told_and_those_beside_it_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.transact("p", vec![insert("a".into(), 1), insert("b".into(), 1)]).await.unwrap();
    let file = rusqlite::Connection::open(directory.path().join("windlass.db")).unwrap();
    for spoiled in ["'{'", "'[]'", "'null'", "''", "x'ff00'"] {
        file.execute(&format!("UPDATE rows SET record = {spoiled} WHERE key = 'a'"), []).unwrap();
        let found = store.range("p", "", "~", 9).await.unwrap();
        let flaws: Vec<_> = found.iter().map(|(key, stored)| (key.as_str(), stored.flaw.is_some())).collect();
        assert_eq!(flaws, [("a", true), ("b", false)], "{spoiled}");
        assert!(store.get("p", "a").await.unwrap().unwrap().flaw.is_some(), "{spoiled}");
    }
}
