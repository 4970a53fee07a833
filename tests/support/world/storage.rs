//! Tables, queues and append blobs with the semantics of the real ones, and nothing else in between.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use windlass::engine::ports::{
    Appended, Clock, LogStore, RunStore, StoreError, Stored, TicketQueue, TransactError, Version, Write,
};
use windlass::model::{Ticket, Timestamp};

use super::chaos::{Chaos, Mode};
use super::{World, WorldClock, checks};

#[derive(Clone, Debug)]
pub struct Message {
    pub id: u64,
    pub queue: String,
    pub text: String,
    pub visible_at: Timestamp,
    pub dequeued: u32,
    pub receipt: u64,
}

#[derive(Default)]
pub struct Tables {
    pub rows: BTreeMap<(String, String), Stored>,
    pub messages: Vec<Message>,
    pub segments: BTreeMap<String, Vec<u8>>,
    /// Blocks that a segment takes before it is full; 0 for no limit.
    pub blocks: usize,
    pub appends: BTreeMap<String, usize>,
    pub sent: u64,
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
    pub chaos: Arc<Mutex<Chaos>>,
    pub clock: Arc<WorldClock>,
}

fn silent() -> StoreError {
    StoreError::Unavailable("the world is silent".into())
}

impl Storage {
    /// Does `effect`, unless the chaos wants it otherwise. A death is a future that never comes back: its worker is
    /// dropped by whoever runs it.
    async fn operate<T, E: From<StoreError>>(
        &self,
        name: &str,
        effect: impl FnOnce(&mut Tables) -> Result<T, E>,
    ) -> Result<T, E> {
        let struck = self.chaos.lock().expect("never poisoned").strike(name);
        tokio::task::yield_now().await;
        match struck {
            Some(Mode::Before) => return Err(silent().into()),
            Some(Mode::DieBefore) => return super::workers::die().await,
            Some(Mode::Stall) => {
                let span = World::LEASE + self.chaos.lock().expect("never poisoned").span(World::LEASE);
                tokio::time::sleep(span).await;
            }
            Some(Mode::After | Mode::DieAfter) | None => {}
        }
        let answer = effect(&mut self.tables.lock().expect("never poisoned"));
        match struck {
            Some(Mode::After) => Err(silent().into()),
            Some(Mode::DieAfter) => super::workers::die().await,
            _ => answer,
        }
    }
}

#[async_trait]
impl RunStore for Storage {
    async fn get(&self, partition: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        self.operate(&format!("get {key}"), |tables| {
            Ok(tables.rows.get(&(partition.to_owned(), key.to_owned())).cloned())
        })
        .await
    }

    async fn transact(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Version>, TransactError> {
        let now = self.clock.now();
        let name = format!("transact {}", writes.first().map(Write::key).unwrap_or_default());
        self.operate(&name, |tables| {
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
            checks::transaction(tables, partition, &writes, now);
            Ok(writes.into_iter().map(|write| put(tables, partition, write)).collect())
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
        self.operate(&format!("range {after}"), |tables| {
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
            tables.rows.insert((partition.to_owned(), key), Stored { version: version.clone(), record });
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
        let visible_at = self.clock.now() + delay;
        self.operate(&format!("send {queue}"), |tables| {
            let id = tables.fresh();
            tables.sent += 1;
            let (queue, text) = (queue.to_owned(), ticket.to_json());
            tables.messages.push(Message { id, queue, text, visible_at, dequeued: 0, receipt: 0 });
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl LogStore for Storage {
    async fn append(&self, segment: &str, position: u64, bytes: Bytes) -> Result<Appended, StoreError> {
        self.operate(&format!("append {segment}"), |tables| {
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
        self.operate(&format!("read {segment}"), |tables| {
            let held = tables.segments.get(segment).map(Vec::as_slice).unwrap_or_default();
            let cut = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(held.len());
            Ok(Bytes::copy_from_slice(&held[cut(start)..cut(end)]))
        })
        .await
    }
}
