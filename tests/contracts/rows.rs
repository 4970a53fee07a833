//! Conditional writes, transactions and ranges.

use futures::future::join_all;
use serde_json::{Value, json};
use windlass::engine::ports::{Record, StoreError, TransactError, Version, Write};

use super::subject::{Store, Subject, record};

fn insert(key: &str, value: i64) -> Write {
    Write::Insert { key: key.into(), record: number(value) }
}

fn replace(key: &str, version: &Version, value: i64) -> Write {
    Write::Replace { key: key.into(), version: version.clone(), record: number(value) }
}

fn delete(key: &str, version: &Version) -> Write {
    Write::Delete { key: key.into(), version: version.clone() }
}

fn number(value: i64) -> Record {
    record(json!({ "n": value }))
}

async fn read<S: Store>(store: &S, key: &str) -> Option<i64> {
    store.get("p", key).await.unwrap().map(|stored| stored.record["n"].as_i64().unwrap())
}

async fn put<S: Store>(store: &S, write: Write) -> Version {
    store.transact("p", vec![write]).await.unwrap().remove(0)
}

async fn refuse<S: Store>(store: &S, writes: Vec<Write>, index: usize) {
    assert_eq!(store.transact("p", writes).await, Err(TransactError::Conflict(index)));
}

pub async fn a_row_reads_back_what_was_inserted<S: Store>(on: &Subject<S>) {
    let fields = record(json!({ "name": "a", "n": 1, "nested": { "list": [1, "two", null] } }));
    let version = put(&on.store, Write::Insert { key: "k".into(), record: fields.clone() }).await;
    let stored = on.other.get("p", "k").await.unwrap().unwrap();
    assert_eq!(stored.record, fields);
    assert_eq!(stored.version, version);
}

pub async fn a_missing_row_is_none<S: Store>(on: &Subject<S>) {
    assert_eq!(on.store.get("p", "missing").await, Ok(None));
}

pub async fn a_row_is_inserted_only_once<S: Store>(on: &Subject<S>) {
    put(&on.store, insert("k", 1)).await;
    refuse(&on.other, vec![insert("k", 2)], 0).await;
    assert_eq!(read(&on.store, "k").await, Some(1));
}

pub async fn a_replacement_needs_the_present_version_and_drops_old_fields<S: Store>(on: &Subject<S>) {
    let old = put(&on.store, Write::Insert { key: "k".into(), record: record(json!({ "old": true })) }).await;
    let new = put(&on.store, replace("k", &old, 2)).await;
    assert_ne!(new, old);
    refuse(&on.store, vec![replace("k", &old, 3)], 0).await;
    let stored = on.store.get("p", "k").await.unwrap().unwrap();
    assert_eq!((stored.record, stored.version), (number(2), new));
}

pub async fn a_deletion_needs_the_present_version<S: Store>(on: &Subject<S>) {
    let old = put(&on.store, insert("k", 1)).await;
    let new = put(&on.store, replace("k", &old, 2)).await;
    refuse(&on.store, vec![delete("k", &old)], 0).await;
    assert_eq!(read(&on.store, "k").await, Some(2));
    assert_eq!(on.store.transact("p", vec![delete("k", &new)]).await, Ok(vec![Version(String::new())]));
    assert_eq!(read(&on.store, "k").await, None);
    refuse(&on.store, vec![delete("k", &new)], 0).await;
    refuse(&on.store, vec![replace("k", &new, 3)], 0).await;
}

pub async fn a_version_of_a_deleted_row_never_fits_its_successor<S: Store>(on: &Subject<S>) {
    let first = put(&on.store, insert("k", 1)).await;
    put(&on.store, delete("k", &first)).await;
    put(&on.store, insert("k", 1)).await;
    refuse(&on.store, vec![replace("k", &first, 2)], 0).await;
}

pub async fn a_foreign_version_is_a_conflict<S: Store>(on: &Subject<S>) {
    put(&on.store, insert("k", 1)).await;
    for foreign in ["", "*", "\"made up\"", "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"", "x\r\nx-evil: 1"] {
        let foreign = Version(foreign.into());
        refuse(&on.store, vec![replace("k", &foreign, 2)], 0).await;
        refuse(&on.store, vec![insert("other", 1), delete("k", &foreign)], 1).await;
    }
    assert_eq!(read(&on.store, "k").await, Some(1));
}

pub async fn a_conflict_names_the_failing_write_and_leaves_nothing<S: Store>(on: &Subject<S>) {
    let a = put(&on.store, insert("a", 1)).await;
    put(&on.store, replace("a", &a, 2)).await;
    refuse(&on.store, vec![insert("b", 1), insert("c", 1), replace("a", &a, 3)], 2).await;
    refuse(&on.store, vec![insert("b", 1), insert("a", 1), insert("c", 1)], 1).await;
    refuse(&on.store, vec![delete("a", &a), insert("b", 1)], 0).await;
    for key in ["b", "c"] {
        assert_eq!(read(&on.store, key).await, None);
    }
    assert_eq!(read(&on.store, "a").await, Some(2));
}

pub async fn a_transaction_changes_all_its_rows_at_once<S: Store>(on: &Subject<S>) {
    let versions = on.store.transact("p", vec![insert("run", 1), insert("lock", 1), insert("old", 1)]).await.unwrap();
    let writes = vec![replace("run", &versions[0], 2), delete("lock", &versions[1]), insert("event", 1)];
    let after = on.store.transact("p", writes).await.unwrap();
    assert_eq!(after[1], Version(String::new()));
    assert_eq!(read(&on.store, "lock").await, None);
    for (key, version, value) in [("run", &after[0], 2), ("event", &after[2], 1), ("old", &versions[2], 1)] {
        let stored = on.store.get("p", key).await.unwrap().unwrap();
        assert_eq!((stored.record, &stored.version), (number(value), version), "{key}");
    }
    assert_eq!(on.store.transact("p", Vec::new()).await, Ok(Vec::new()));
}

/// A repeated request meets its own first try: the conflict is told, and reading again shows whose work it is.
pub async fn a_writer_that_lost_the_reply_finds_its_own_work<S: Store>(on: &Subject<S>) {
    let version = put(&on.store, insert("k", 1)).await;
    let write = Write::Replace { key: "k".into(), version, record: record(json!({ "operation": "0f6c", "n": 2 })) };
    put(&on.store, write.clone()).await;
    refuse(&on.store, vec![write], 0).await;
    let stored = on.store.get("p", "k").await.unwrap().unwrap();
    assert_eq!(stored.record["operation"], json!("0f6c"));
    put(&on.store, replace("k", &stored.version, 3)).await;
}

pub async fn a_range_is_exclusive_at_both_ends_and_ordered<S: Store>(on: &Subject<S>) {
    for key in ["e:3", "a", "e:1", "z", "e:2", "e:", "e;"] {
        put(&on.store, insert(key, 1)).await;
    }
    let keys = async |after: &str, before: &str, limit: usize| {
        let rows = on.other.range("p", after, before, limit).await.unwrap();
        rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys("e:", "e;", 10).await, ["e:1", "e:2", "e:3"]);
    assert_eq!(keys("e:1", "e:3", 10).await, ["e:2"]);
    assert_eq!(keys("e:", "e;", 2).await, ["e:1", "e:2"]);
    assert_eq!(keys("", "~", 10).await.len(), 7);
    assert!(keys("e:3", "e:1", 10).await.is_empty());
    assert!(keys("e:", "e;", 0).await.is_empty());
}

pub async fn a_range_over_several_pages_misses_nothing<S: Store>(on: &Subject<S>) {
    const ROWS: usize = 1_250;
    let key = |number: usize| format!("e:{number:06}");
    for first in (0..ROWS).step_by(100) {
        let writes = (first..(first + 100).min(ROWS)).map(|number| insert(&key(number), 1)).collect();
        on.store.transact("p", writes).await.unwrap();
    }
    let rows = on.store.range("p", "e:", "e;", 10_000).await.unwrap();
    assert!(rows.iter().map(|(key, _)| key.clone()).eq((0..ROWS).map(key)));
    assert_eq!(on.store.range("p", "e:", "e;", 1_100).await.unwrap().len(), 1_100);
}

pub async fn partitions_do_not_see_each_other<S: Store>(on: &Subject<S>) {
    put(&on.store, insert("k", 1)).await;
    on.store.transact("q", vec![insert("k", 2)]).await.unwrap();
    assert_eq!(read(&on.store, "k").await, Some(1));
    assert_eq!(on.store.range("q", "", "~", 10).await.unwrap().len(), 1);
}

pub async fn of_two_racing_replacements_exactly_one_wins<S: Store>(on: &Subject<S>) {
    for round in 0..20 {
        let key = format!("k{round}");
        let version = put(&on.store, insert(&key, 0)).await;
        let (a, b) = tokio::join!(
            on.store.transact("p", vec![replace(&key, &version, 1)]),
            on.other.transact("p", vec![replace(&key, &version, 2)]),
        );
        let winner = if a.is_ok() { 1 } else { 2 };
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        assert_eq!(read(&on.store, &key).await, Some(winner));
    }
}

pub async fn a_counter_that_many_writers_raise_counts_every_success<S: Store>(on: &Subject<S>) {
    put(&on.store, insert("k", 0)).await;
    let raise = async |store: &S| loop {
        let stored = store.get("p", "k").await.unwrap().unwrap();
        let next = stored.record["n"].as_i64().unwrap() + 1;
        match store.transact("p", vec![replace("k", &stored.version, next)]).await {
            Ok(_) => return,
            Err(TransactError::Conflict(0)) => (),
            Err(error) => panic!("{error}"),
        }
    };
    join_all((0..16).map(|n| raise(if n % 2 == 0 { &on.store } else { &on.other }))).await;
    assert_eq!(read(&on.store, "k").await, Some(16));
}

pub async fn what_the_service_could_not_hold_is_refused<S: Store>(on: &Subject<S>) {
    let field = |name: &str, value: Value| {
        vec![Write::Insert { key: "k".into(), record: Record::from_iter([(name.to_owned(), value)]) }]
    };
    let wide: Record = (0..300).map(|n| (format!("f{n}"), json!(n))).collect();
    let heavy: Record = (0..20).map(|n| (format!("f{n}"), json!("x".repeat(32_000)))).collect();
    let heavy_row = |key: String| Write::Insert {
        key,
        record: (0..12).map(|n| (format!("f{n}"), json!("x".repeat(32_000)))).collect(),
    };
    let bad = [
        vec![insert("a/b", 1)],
        vec![insert("a\\b", 1)],
        vec![insert("a#b", 1)],
        vec![insert("a?b", 1)],
        vec![insert("a\u{7}b", 1)],
        vec![insert("", 1)],
        vec![insert(&"k".repeat(1_025), 1)],
        vec![insert("k", 1), insert("k", 2)],
        (0..101).map(|n| insert(&format!("k{n}"), 1)).collect(),
        vec![Write::Insert { key: "k".into(), record: wide }],
        vec![Write::Insert { key: "k".into(), record: heavy }],
        (0..6).map(|n| heavy_row(format!("k{n}"))).collect(),
        field("with-dash", json!(1)),
        field("RowKey", json!(1)),
        field("x__json", json!(1)),
    ];
    for writes in bad {
        let keys: Vec<_> = writes.iter().map(|write| write.key().chars().take(9).collect::<String>()).collect();
        let answer = on.store.transact("p", writes).await;
        assert!(matches!(answer, Err(TransactError::Store(StoreError::Refused(_)))), "{keys:?} {answer:?}");
    }
    assert!(matches!(on.store.transact("p/q", vec![insert("k", 1)]).await, Err(TransactError::Store(_))));
    assert!(on.store.range("p", "", "~", 10).await.unwrap().is_empty());
    on.store.transact("p", (0..100).map(|n| insert(&format!("k{n}"), 1)).collect()).await.unwrap();
}
