//! The embedded storage with two changes: tickets are there at once and say when they are due, and logs can be out of
//! order for a while.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use windlass::engine::ports::{Appended, Clock, LogStore, StoreError, TicketQueue};
use windlass::model::{Ticket, Timestamp};
use windlass::storage::embedded::Embedded;

use crate::clock::SkippingClock;

pub struct Tickets {
    pub store: Embedded,
    pub clock: Arc<SkippingClock>,
    due: Mutex<BTreeMap<String, Timestamp>>,
}

impl Tickets {
    pub fn new(store: Embedded, clock: Arc<SkippingClock>) -> Self {
        Self { store, clock, due: Mutex::default() }
    }

    /// When the queue would have shown the ticket.
    pub fn due(&self, ticket: &str) -> Timestamp {
        self.due.lock().expect("never poisoned").get(ticket).copied().expect("a ticket that was sent")
    }
}

#[async_trait]
impl TicketQueue for Tickets {
    async fn send(&self, queue: &str, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        self.due.lock().expect("never poisoned").insert(ticket.to_json(), self.clock.now() + delay);
        self.store.send(queue, ticket, Duration::ZERO).await
    }

    async fn send_back(&self, queue: &str, message: &str, _: Duration) -> Result<(), StoreError> {
        self.store.send_back(queue, message, Duration::ZERO).await
    }
}

pub struct FlakyLogs {
    store: Embedded,
    /// Appends from now on that are refused, and then those that take effect without an answer.
    refused: AtomicU32,
    unanswered: AtomicU32,
}

impl FlakyLogs {
    pub fn new(store: Embedded) -> Self {
        Self { store, refused: AtomicU32::new(0), unanswered: AtomicU32::new(0) }
    }

    pub fn refuse(&self, appends: u32) {
        self.refused.store(appends, Ordering::SeqCst);
    }

    pub fn leave_unanswered(&self, appends: u32) {
        self.unanswered.store(appends, Ordering::SeqCst);
    }

    /// Whether everything that was to go wrong has gone wrong.
    pub fn is_well(&self) -> bool {
        self.refused.load(Ordering::SeqCst) == 0 && self.unanswered.load(Ordering::SeqCst) == 0
    }
}

fn takes_one(from: &AtomicU32) -> bool {
    from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl LogStore for FlakyLogs {
    async fn append(&self, segment: &str, position: u64, bytes: Bytes) -> Result<Appended, StoreError> {
        let silence = StoreError::Unavailable("the logs are out of order".into());
        if takes_one(&self.refused) {
            return Err(silence);
        }
        let appended = self.store.append(segment, position, bytes).await;
        if takes_one(&self.unanswered) { Err(silence) } else { appended }
    }

    async fn read(&self, segment: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        self.store.read(segment, start, end).await
    }
}
