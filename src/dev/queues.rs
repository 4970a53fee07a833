//! The local host's queues on either storage.

use std::time::Duration;

use async_trait::async_trait;

use crate::dev::host::{Doorbell, QueueMessage, QueueSource, QueueSourceError};
use crate::engine::ports::StoreError;
use crate::model::Timestamp;
use crate::storage::Message;
use crate::storage::azure::AzureStorage;
use crate::storage::embedded::{self, Embedded};

fn failed(error: StoreError) -> QueueSourceError {
    QueueSourceError(error.to_string())
}

fn message(message: Message) -> QueueMessage {
    QueueMessage {
        id: message.id,
        receipt: message.pop_receipt,
        dequeue_count: message.dequeue_count,
        inserted_at: message.inserted_at,
        expires_at: message.expires_at,
        next_visible_at: message.next_visible_at,
        text: message.text,
    }
}

/// Queues in the embedded storage, which tells of every message.
pub struct EmbeddedQueues(pub Embedded);

#[async_trait]
impl QueueSource for EmbeddedQueues {
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<QueueMessage>, QueueSourceError> {
        let found = self.0.receive_messages(queue, max, visibility).await.map_err(failed)?;
        Ok(found.into_iter().map(message).collect())
    }

    async fn renew(
        &self,
        queue: &str,
        id: &str,
        receipt: &str,
        visibility: Duration,
    ) -> Result<Option<String>, QueueSourceError> {
        self.0.renew_message(queue, id, receipt, visibility).await.map_err(failed)
    }

    async fn delete(&self, queue: &str, id: &str, receipt: &str) -> Result<bool, QueueSourceError> {
        self.0.delete_message(queue, id, receipt).await.map_err(failed)
    }

    async fn put(&self, queue: &str, text: &str) -> Result<(), QueueSourceError> {
        self.0.put_message(queue, text, Duration::ZERO).await.map_err(failed)
    }

    async fn exists(&self, _queue: &str) -> Result<bool, QueueSourceError> {
        Ok(true)
    }

    fn doorbell(&self) -> Option<Box<dyn Doorbell>> {
        self.0.doorbell().ok().map(|bell| Box::new(EmbeddedBell(bell)) as _)
    }

    async fn next_visible(&self, queue: &str) -> Result<Option<Timestamp>, QueueSourceError> {
        self.0.next_visible(queue).await.map_err(failed)
    }
}

struct EmbeddedBell(embedded::Doorbell);

#[async_trait]
impl Doorbell for EmbeddedBell {
    async fn rung(&mut self) -> String {
        self.0.rung().await
    }
}

/// Queues of a storage account, which the host polls.
pub struct AccountQueues(pub AzureStorage);

#[async_trait]
impl QueueSource for AccountQueues {
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<QueueMessage>, QueueSourceError> {
        let found = self.0.receive_messages(queue, max, visibility).await.map_err(failed)?;
        Ok(found.into_iter().map(message).collect())
    }

    async fn renew(
        &self,
        queue: &str,
        id: &str,
        receipt: &str,
        visibility: Duration,
    ) -> Result<Option<String>, QueueSourceError> {
        self.0.renew_message(queue, id, receipt, visibility).await.map_err(failed)
    }

    async fn delete(&self, queue: &str, id: &str, receipt: &str) -> Result<bool, QueueSourceError> {
        self.0.delete_message(queue, id, receipt).await.map_err(failed)
    }

    async fn put(&self, queue: &str, text: &str) -> Result<(), QueueSourceError> {
        self.0.ensure(&[queue.to_owned()], &[]).await.map_err(failed)?;
        self.0.put_message(queue, text, Duration::ZERO).await.map_err(failed)
    }

    async fn exists(&self, queue: &str) -> Result<bool, QueueSourceError> {
        match self.0.peek_messages(queue, 1).await {
            Ok(_) => Ok(true),
            Err(StoreError::Refused(_)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}
