//! What the host needs from a storage service's queues.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::Timestamp;

/// A received message; its receipt is good until the message shows again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueMessage {
    pub id: String,
    pub receipt: String,
    /// Counts this receipt, from 1.
    pub dequeue_count: u32,
    pub inserted_at: Timestamp,
    pub expires_at: Timestamp,
    pub next_visible_at: Timestamp,
    /// As stored: base64 is the host's business.
    pub text: String,
}

/// The storage service did not do what it was asked for; whether it did is unknown.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct QueueSourceError(pub String);

#[async_trait]
pub trait QueueSource: Send + Sync {
    /// At most `max` visible messages, each hidden for `visibility` from now on.
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<QueueMessage>, QueueSourceError>;

    /// Lets a message show again after `visibility` from now: its new receipt, or none if the given one is no longer good.
    async fn renew(
        &self,
        queue: &str,
        id: &str,
        receipt: &str,
        visibility: Duration,
    ) -> Result<Option<String>, QueueSourceError>;

    /// False if the receipt is no longer good.
    async fn delete(&self, queue: &str, id: &str, receipt: &str) -> Result<bool, QueueSourceError>;

    /// Makes the queue if need be. For outputs and poison queues.
    async fn put(&self, queue: &str, text: &str) -> Result<(), QueueSourceError>;

    /// Whether the queue is there: a listener waits for it and does not make it.
    async fn exists(&self, queue: &str) -> Result<bool, QueueSourceError>;

    /// For storage that can tell when a message was put; none means that the host polls. Asked once, before anything
    /// is received.
    fn doorbell(&self) -> Option<Box<dyn Doorbell>> {
        None
    }

    /// When the earliest message of the queue shows, be it in the past; none when there is none.
    /// Only asked of a source with a doorbell.
    async fn next_visible(&self, _queue: &str) -> Result<Option<Timestamp>, QueueSourceError> {
        Ok(None)
    }
}

/// Rings whenever a message is put or its time of showing is changed, by whichever process.
#[async_trait]
pub trait Doorbell: Send {
    /// The queue that may now hold another message. Rings between two calls are not lost.
    async fn rung(&mut self) -> String;
}
