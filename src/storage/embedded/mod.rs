//! The ports on one SQLite file that the processes of one machine share.
//!
//! - `schema`: the file and its tables
//! - `writer`: one thread a process that commits whatever waits as one transaction
//! - `readers`: connections for reading beside it
//! - `rows`, `messages`, `segments`: the ports, and what the local host does with queues
//! - `doorbell`: tells other processes at once that a message came
//!
//! A write is answered once it is committed: it then survives the death of every process. It may be lost if the
//! machine loses its power within moments (`synchronous=NORMAL`), but never in part.

mod doorbell;
mod messages;
mod readers;
mod rows;
mod schema;
mod segments;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

pub use doorbell::Doorbell;

use super::operations::{Kind, Operations};
use crate::engine::ports::StoreError;
use crate::model::Timestamp;
use doorbell::Ringer;
use readers::Readers;
use writer::Writer;

/// A handle on the store of one directory; clones share its connections.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    writer: Writer,
    readers: Readers,
    operations: Operations,
    blocks_per_segment: u32,
}

/// Below the 50,000 blocks that an append blob may have.
const BLOCKS_PER_SEGMENT: u32 = 49_000;

impl Embedded {
    /// Opens the store in a directory, which is made if it is missing. Any number of processes may have it open.
    ///
    /// Blocks its thread for a few milliseconds, longer while another process is making the same store.
    pub fn open(directory: &Path, operations: Operations) -> Result<Self, StoreError> {
        Self::open_with(directory, operations, BLOCKS_PER_SEGMENT)
    }

    /// As [`Embedded::open`], with a number of appends after which a log segment is full.
    pub fn open_with(directory: &Path, operations: Operations, blocks_per_segment: u32) -> Result<Self, StoreError> {
        let file = schema::File::prepare(directory)?;
        let directory = file.directory().to_owned();
        let ringer = Ringer::new(&directory);
        let writer = Writer::start(file.connect()?, file.lock()?, ringer)?;
        let readers = Readers::new(file);
        Ok(Self(Arc::new(Inner { directory, writer, readers, operations, blocks_per_segment })))
    }

    fn count(&self, kind: Kind) {
        self.0.operations.count(kind);
    }

    /// A read of a few rows, which takes microseconds, on the caller's thread.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.0.readers.read(read)
    }

    /// A read that may take long, on a thread that may be blocked.
    async fn read_much<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.readers.read(read))
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the read was interrupted".into())))
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("directory", &self.0.directory).finish_non_exhaustive()
    }
}

/// What SQLite could not do now, it may do later: a full disk, a lock held too long.
fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
