//! Counts what is done for a run, so that the row's next write can carry it. Counting costs no operation of its own.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::Engine;
use super::ports::{Appended, LogStore, RunStore, StoreError, Stored, TransactError, Version, Write};
use crate::model::{Progress, Receipt, Run};

/// What was done and is in no row yet. Clones count together.
#[derive(Clone, Default)]
pub struct Meter(Arc<Mutex<Receipt>>);

impl Meter {
    pub fn so_far(&self) -> Receipt {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, done: Receipt) {
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *so_far = *so_far + done;
    }

    /// Puts into `next` everything up to and including the write that makes it of `run`, and what follows from it.
    pub fn fill(&self, run: &Run, next: &mut Run) {
        next.receipt = run.receipt + self.so_far() + WRITE + around(run, next);
    }

    /// `next` was written and carries a part of what was counted.
    pub fn settle(&self, run: &Run, next: &Run) {
        let carried = next.receipt - run.receipt - around(run, next);
        let mut so_far = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *so_far = *so_far - carried;
    }

    pub fn rows(&self, store: Arc<dyn RunStore>) -> Arc<dyn RunStore> {
        Arc::new(MeteredRows { store, meter: self.clone() })
    }

    pub fn logs(&self, store: Arc<dyn LogStore>) -> Arc<dyn LogStore> {
        Arc::new(MeteredLogs { store, meter: self.clone() })
    }
}

impl Engine {
    /// An engine whose rows are counted by a meter of its own, for what is not done by a worker.
    pub(super) fn metered(&self) -> (Self, Meter) {
        let meter = Meter::default();
        (Self { store: meter.rows(Arc::clone(&self.store)), ..self.clone() }, meter)
    }
}

const WRITE: Receipt = table(1);
/// The first ticket of a run that is about to be written.
const FIRST_TICKET: Receipt = Receipt { queue_operations: 1, ..table(0) };

const fn table(table_operations: u64) -> Receipt {
    Receipt { executions: 0, table_operations, queue_operations: 0, blob_operations: 0, log_bytes: 0 }
}

/// The receipt of a run that begins with its next write.
pub fn begun(meter: &Meter) -> Receipt {
    meter.so_far() + WRITE + FIRST_TICKET
}

/// What the queue does around the write that makes `next` of `run`: a claim was preceded by the receipt of its message,
/// a worker's last write is followed by its deletion, and a new seq by its ticket. What follows is counted ahead,
/// because it is certain to be tried and no write comes after it.
fn around(run: &Run, next: &Run) -> Receipt {
    let holder = |run: &Run| match &run.progress {
        Progress::Leased { lease } => Some(lease.owner.clone()),
        Progress::Ready { .. } | Progress::Ended { .. } => None,
    };
    let (before, after) = (holder(run), holder(next));
    let claimed = after.is_some() && after != before;
    let let_go = before.is_some() && after.is_none();
    let handed_on = matches!(next.progress, Progress::Ready { .. }) && next.seq > run.seq;
    Receipt {
        executions: claimed.into(),
        queue_operations: u64::from(claimed) + u64::from(let_go) + u64::from(handed_on),
        ..Receipt::default()
    }
}

struct MeteredRows {
    store: Arc<dyn RunStore>,
    meter: Meter,
}

#[async_trait]
impl RunStore for MeteredRows {
    async fn get(&self, partition: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        self.meter.add(table(1));
        self.store.get(partition, key).await
    }

    async fn transact(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Version>, TransactError> {
        self.meter.add(table(1));
        self.store.transact(partition, writes).await
    }

    async fn range(
        &self,
        partition: &str,
        after: &str,
        before: &str,
        limit: usize,
    ) -> Result<Vec<(String, Stored)>, StoreError> {
        self.meter.add(table(1));
        self.store.range(partition, after, before, limit).await
    }
}

struct MeteredLogs {
    store: Arc<dyn LogStore>,
    meter: Meter,
}

const BLOB: Receipt = Receipt { blob_operations: 1, ..table(0) };

#[async_trait]
impl LogStore for MeteredLogs {
    async fn append(&self, segment: &str, position: u64, bytes: Bytes) -> Result<Appended, StoreError> {
        self.meter.add(BLOB);
        let log_bytes = bytes.len() as u64;
        let appended = self.store.append(segment, position, bytes).await?;
        if appended == Appended::Written {
            self.meter.add(Receipt { log_bytes, ..table(0) });
        }
        Ok(appended)
    }

    async fn read(&self, segment: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        self.meter.add(BLOB);
        self.store.read(segment, start, end).await
    }
}
