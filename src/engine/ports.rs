//! What the engine needs from the world. `storage/` implements it twice, the simulation a third time.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::model::{Ticket, Timestamp};

/// The fields of a row. Scalars may become columns of their own; anything nested is kept as JSON.
pub type Record = Map<String, Value>;

/// The opaque token of one state of a row; it differs after every write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version(pub String);

#[derive(Clone, PartialEq, Debug)]
pub struct Stored {
    pub version: Version,
    pub record: Record,
    /// What of the row could not be read, in words. The record then lacks it, and must not be taken for the row.
    pub flaw: Option<String>,
}

/// One row's part in a transaction.
#[derive(Clone, PartialEq, Debug)]
pub enum Write {
    /// The row must not exist.
    Insert { key: String, record: Record },
    /// The row must still be at this version; every field is replaced.
    Replace { key: String, version: Version, record: Record },
    /// The row must still be at this version.
    Delete { key: String, version: Version },
}

impl Write {
    pub fn key(&self) -> &str {
        match self {
            Self::Insert { key, .. } | Self::Replace { key, .. } | Self::Delete { key, .. } => key,
        }
    }
}

/// The store did not do what it was asked for, or did not say whether it did.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// Out of reach, throttled or timed out. The operation may or may not have taken effect.
    #[error("storage did not answer: {0}")]
    Unavailable(String),
    /// Refused for good: trying again changes nothing.
    #[error("storage refused: {0}")]
    Refused(String),
    /// Storage works, and what it holds is nothing that this version can read. It stays as it is.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// A row that this version cannot read, and therefore does not write.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the row {key} cannot be read: {why}; {}", self.remedy())]
pub struct Unreadable {
    /// With its partition before it.
    pub key: String,
    /// Which form the row says that it has, if it says it.
    pub schema: Option<u64>,
    pub why: String,
    /// Whether a later version of Windlass can be expected to read it.
    pub newer: bool,
}

impl Unreadable {
    pub fn remedy(&self) -> &'static str {
        if self.newer {
            "run the version of Windlass that wrote it, or a later one"
        } else {
            "restore it from a backup; until then it is left as it is"
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TransactError {
    /// The write with this index met a row that is not as it expected. Nothing was written.
    /// Also seen after a lost reply by a writer that meets its own work: read again before deciding.
    #[error("write {0} lost a race")]
    Conflict(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Unreadable> for TransactError {
    fn from(row: Unreadable) -> Self {
        StoreError::from(row).into()
    }
}

/// Rows in partitions, changed by all-or-nothing transactions within one partition.
///
/// Keys hold no `/ \ # ?` and no control characters; at most 100 writes a transaction, one for each row.
#[async_trait]
pub trait RunStore: Send + Sync {
    async fn get(&self, partition: &str, key: &str) -> Result<Option<Stored>, StoreError>;

    /// The new versions, in the order of the writes; that of a deleted row is empty.
    async fn transact(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Version>, TransactError>;

    /// Rows with `after < key < before` in the order of their keys, at most `limit`.
    /// Fewer than `limit` rows means that there are no more.
    async fn range(
        &self,
        partition: &str,
        after: &str,
        before: &str,
        limit: usize,
    ) -> Result<Vec<(String, Stored)>, StoreError>;
}

/// Sends tickets. Delivery is at least once, in any order, never before `delay` has passed.
#[async_trait]
pub trait TicketQueue: Send + Sync {
    async fn send(&self, queue: &str, ticket: &Ticket, delay: Duration) -> Result<(), StoreError>;

    /// Sends a message as it came, because what it says is for a later version to read.
    async fn send_back(&self, queue: &str, message: &str, delay: Duration) -> Result<(), StoreError>;
}

/// What became of an append at a position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Appended {
    Written,
    /// The segment is not as long as the position says; this is its length.
    Elsewhere {
        length: u64,
    },
    /// The segment takes no more blocks; the log goes on in the next one.
    Full,
}

/// Append-only segments, written at a stated position.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Appends `bytes` if the segment is exactly `position` long. A segment that does not exist is made by an append at 0.
    async fn append(&self, segment: &str, position: u64, bytes: Bytes) -> Result<Appended, StoreError>;

    /// The bytes from `start` up to `end` (exclusive), cut at the segment's end; empty for a segment that does not exist.
    async fn read(&self, segment: &str, start: u64, end: u64) -> Result<Bytes, StoreError>;
}

/// The time, and the randomness for names.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
    fn random(&self) -> u64;
}
