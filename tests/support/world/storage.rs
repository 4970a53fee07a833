//! Tables, queues and append blobs with the semantics of the real ones, and nothing else in between.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::Notify;
use windlass::engine::ports::{
    Appended, Clock, LogStore, RunStore, StoreError, Stored, TicketQueue, TransactError, Version, Write,
};
use windlass::model::{Ticket, Timestamp};

use super::checks;
use super::injector::Injector;

#[derive(Clone, Debug)]
pub struct Message {
    pub id: u64,
    pub queue: String,
    pub text: String,
    pub visible_at: Timestamp,
    pub dequeued: u32,
    pub receipt: u64,
    /// Made from another message by the chaos.
    pub copy: bool,
}

#[derive(Default)]
pub struct Tables {
    pub rows: BTreeMap<(String, String), Stored>,
    pub messages: Vec<Message>,
    pub segments: BTreeMap<String, Vec<u8>>,
    /// Blocks that a segment takes before it is full; 0 for no limit.
    pub blocks: usize,
    /// Bytes that a row may have; 0 for no limit.
    pub largest: usize,
    /// A row whose value is gone from where it was put aside.
    pub gone: Option<String>,
    pub appends: BTreeMap<String, usize>,
    pub sent: u64,
    /// Runs that have not ended.
    pub live: usize,
    /// Broken promises that a write showed.
    pub breaches: Vec<String>,
    next: u64,
}

impl Tables {
    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

pub struct Storage {
    pub tables: Arc<Mutex<Tables>>,
    /// Told whenever a message or a run has changed.
    pub changed: Arc<Notify>,
    pub injector: Injector,
}

fn silent() -> StoreError {
    StoreError::Unavailable("the world is silent".into())
}

impl Storage {
    async fn operate<T, E: From<StoreError>>(
        &self,
        name: String,
        effect: impl FnOnce(&mut Tables) -> Result<T, E>,
    ) -> Result<T, E> {
        let on_tables = || effect(&mut self.tables.lock().expect("never poisoned"));
        self.injector.operate(name, || silent().into(), on_tables).await
    }
}

#[async_trait]
impl RunStore for Storage {
    async fn get(&self, partition: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        self.operate(format!("get {key}"), |tables| {
            let found = tables.rows.get(&(partition.to_owned(), key.to_owned())).cloned();
            let flaw = (tables.gone.as_deref() == Some(key)).then(|| "404 BlobNotFound".to_owned());
            Ok(found.map(|row| Stored { flaw: flaw.or(row.flaw.clone()), ..row }))
        })
        .await
    }

    async fn transact(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Version>, TransactError> {
        let clock = Arc::clone(&self.injector.clock);
        let name = format!("transact {}", writes.first().map(Write::key).unwrap_or_default());
        self.operate(name, |tables| {
            let too_large = |write: &Write| match write {
                Write::Insert { record, .. } | Write::Replace { record, .. } => {
                    tables.largest > 0 && json!(record).to_string().len() > tables.largest
                }
                Write::Delete { .. } => false,
            };
            if writes.iter().any(too_large) {
                return Err(StoreError::Refused("the row is too large".into()).into());
            }
            for (index, write) in writes.iter().enumerate() {
                let found = tables.rows.get(&(partition.to_owned(), write.key().to_owned()));
                let fits = match write {
                    Write::Insert { .. } => found.is_none(),
                    Write::Replace { version, .. } | Write::Delete { version, .. } => {
                        found.is_some_and(|row| row.version == *version)
                    }
                };
                if !fits {
                    return Err(TransactError::Conflict(index));
                }
            }
            checks::transaction(tables, partition, &writes, clock.now());
            let versions = writes.into_iter().map(|write| put(tables, partition, write)).collect();
            self.changed.notify_waiters();
            Ok(versions)
        })
        .await
    }

    async fn range(
        &self,
        partition: &str,
        after: &str,
        before: &str,
        limit: usize,
    ) -> Result<Vec<(String, Stored)>, StoreError> {
        self.operate(format!("range {after}"), |tables| {
            let found = tables
                .rows
                .iter()
                .filter(|((part, key), _)| part == partition && key.as_str() > after && key.as_str() < before);
            Ok(found.map(|((_, key), row)| (key.clone(), row.clone())).take(limit).collect())
        })
        .await
    }
}

fn put(tables: &mut Tables, partition: &str, write: Write) -> Version {
    let version = Version(tables.fresh().to_string());
    match write {
        Write::Insert { key, record } | Write::Replace { key, record, .. } => {
            tables.rows.insert((partition.to_owned(), key), Stored { version: version.clone(), record, flaw: None });
            version
        }
        Write::Delete { key, .. } => {
            tables.rows.remove(&(partition.to_owned(), key));
            Version(String::new())
        }
    }
}

#[async_trait]
impl TicketQueue for Storage {
    async fn send(&self, queue: &str, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        self.send_back(queue, &ticket.to_json(), delay).await
    }

    async fn send_back(&self, queue: &str, message: &str, delay: Duration) -> Result<(), StoreError> {
        self.operate(format!("send {queue}"), |tables| {
            let id = tables.fresh();
            tables.sent += 1;
            // A queue is polled now and then.
            let polled = self.injector.chaos.lock().expect("never poisoned").jitter(Duration::from_secs(1));
            let visible_at = self.injector.clock.now() + delay + polled;
            let (queue, text) = (queue.to_owned(), message.to_owned());
            tables.messages.push(Message { id, queue, text, visible_at, dequeued: 0, receipt: 0, copy: false });
            self.changed.notify_waiters();
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl LogStore for Storage {
    async fn append(&self, segment: &str, position: u64, bytes: Bytes) -> Result<Appended, StoreError> {
        self.operate(format!("append {segment}"), |tables| {
            let limit = tables.blocks;
            let length = tables.segments.get(segment).map_or(0, |held| held.len() as u64);
            if length != position {
                return Ok(Appended::Elsewhere { length });
            }
            let blocks = tables.appends.entry(segment.to_owned()).or_default();
            if limit > 0 && *blocks >= limit {
                return Ok(Appended::Full);
            }
            *blocks += 1;
            tables.segments.entry(segment.to_owned()).or_default().extend_from_slice(&bytes);
            Ok(Appended::Written)
        })
        .await
    }

    async fn read(&self, segment: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        self.operate(format!("read {segment}"), |tables| {
            let held = tables.segments.get(segment).map(Vec::as_slice).unwrap_or_default();
            let cut = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(held.len());
            Ok(Bytes::copy_from_slice(&held[cut(start)..cut(end)]))
        })
        .await
    }
}
