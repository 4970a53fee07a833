//! Bells ring across processes, and losing one loses no message.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use windlass::storage::Operations;
use windlass::storage::embedded::{Doorbell, Embedded};

use super::processes::Process;

const LONG: Duration = Duration::from_secs(60);

fn open(directory: &Path) -> Embedded {
    Embedded::open(directory, Operations::default()).unwrap()
}

/// A bell that stays silent fails the test instead of stopping it.
async fn rung(bell: &mut Doorbell) -> String {
    tokio::time::timeout(LONG, bell.rung()).await.expect("the bell rings")
}

async fn put(store: &Embedded, queue: &str) {
    store.put_message(queue, "x", Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_bell_rings_for_messages_of_other_handles_and_processes() {
    let directory = tempfile::tempdir().unwrap();
    let (store, other) = (open(directory.path()), open(directory.path()));
    let (mut first, mut second) = (store.doorbell().unwrap(), other.doorbell().unwrap());
    put(&store, "queue-a").await;
    assert_eq!((rung(&mut first).await, rung(&mut second).await), ("queue-a".into(), "queue-a".into()));
    let mut child = Process::start("put", directory.path());
    assert_eq!((rung(&mut first).await, rung(&mut second).await), ("from-a-child".into(), "from-a-child".into()));
    child.finish();
    assert_eq!(store.receive_messages("from-a-child", 9, LONG).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_bell_without_sockets_rings_for_visible_messages() {
    let directory = tempfile::tempdir().unwrap();
    let (store, other) = (open(directory.path()), open(directory.path()));
    let mut bell = Doorbell::polling(&store);
    other.put_message("queue-b", "x", LONG).await.unwrap();
    put(&other, "queue-a").await;
    assert_eq!((rung(&mut bell).await, rung(&mut bell).await), ("queue-a".into(), "queue-a".into()));
}

#[tokio::test]
async fn a_listener_that_was_busy_hears_of_every_queue_later() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut bell = store.doorbell().unwrap();
    let mut missing: BTreeSet<String> = (0..700).map(|number| format!("queue-{number}")).collect();
    for queue in &missing {
        put(&store, queue).await;
    }
    while !missing.is_empty() {
        missing.remove(&rung(&mut bell).await);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn bells_leave_nothing_behind_and_dead_ones_are_taken_down() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let bells = directory.path().join("bells");
    let hanging = || std::fs::read_dir(&bells).unwrap().count();
    let mut bell = store.doorbell().unwrap();
    assert_eq!(hanging(), 2);
    // As a process leaves it that was killed: an announcement, and a socket that nobody is bound to.
    let dead = bells.join("1-1.sock");
    drop(std::os::unix::net::UnixDatagram::bind(&dead).unwrap());
    std::fs::write(bells.join("1-1.bell"), dead.to_str().unwrap()).unwrap();
    put(&store, "queue").await;
    assert_eq!(rung(&mut bell).await, "queue");
    assert_eq!(hanging(), 2);
    drop(bell);
    assert_eq!(hanging(), 0);
    put(&store, "queue").await;
}

#[tokio::test]
async fn a_directory_with_a_long_path_has_a_bell_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("d".repeat(120)));
    let mut bell = store.doorbell().unwrap();
    put(&store, "queue").await;
    assert_eq!(rung(&mut bell).await, "queue");
}
