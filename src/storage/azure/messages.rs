//! Queues: what the engine sends, and what the local host receives on Azurite.

use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::HeaderName;
use azure_core::http::{RequestContent, XmlFormat};
use azure_core::time::OffsetDateTime;
use azure_storage_queue::QueueClient;
use azure_storage_queue::models::{
    PeekedMessage, QueueClientPeekMessagesOptions, QueueClientReceiveMessagesOptions, QueueClientSendMessageOptions,
    QueueMessage, ReceivedMessage,
};

use super::AzureStorage;
use super::wire::{Problem, describe};
use crate::engine::ports::{StoreError, TicketQueue};
use crate::model::{Ticket, Timestamp};
use crate::storage::Message;
use crate::storage::limits::{self, refused};

const POP_RECEIPT: HeaderName = HeaderName::from_static("x-ms-popreceipt");
/// Messages in one answer of the service.
const MOST: usize = 32;

#[async_trait]
impl TicketQueue for AzureStorage {
    async fn send(&self, queue: &str, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        self.put_message(queue, &ticket.to_json(), delay).await
    }

    async fn send_back(&self, queue: &str, message: &str, delay: Duration) -> Result<(), StoreError> {
        self.put_message(queue, message, delay).await
    }
}

impl AzureStorage {
    /// The crate's client of one queue.
    pub fn queue_client(&self, queue: &str) -> Result<QueueClient, StoreError> {
        self.0.queues.queue_client(queue).map_err(|error| refused(describe(&error)))
    }

    /// Puts a message as plain text; it shows after `delay`, rounded up to seconds.
    pub async fn put_message(&self, queue: &str, text: &str, delay: Duration) -> Result<(), StoreError> {
        limits::check_queue(queue)?;
        limits::check_message(text, delay)?;
        let message = QueueMessage { message_text: Some(text.to_owned()) };
        let content: RequestContent<QueueMessage, XmlFormat> =
            message.try_into().map_err(|error| refused(describe(&error)))?;
        let options = QueueClientSendMessageOptions {
            visibility_timeout: (!delay.is_zero()).then(|| seconds(delay)),
            ..Default::default()
        };
        self.0.patience.ask(self.queue_client(queue)?.send_message(content, Some(options))).await?;
        Ok(())
    }

    /// Up to `max` visible messages (32 at most), which nobody else receives for the time of `visibility`, rounded up
    /// to seconds.
    pub async fn receive_messages(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Message>, StoreError> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(batch(max)),
            visibility_timeout: Some(seconds(visibility).max(1)),
            ..Default::default()
        };
        let client = self.queue_client(queue)?;
        let answer = self.0.patience.ask(client.receive_messages(Some(options))).await?;
        let received = answer.into_model().map_err(Problem::from)?;
        Ok(received.items.unwrap_or_default().into_iter().map(received_message).collect())
    }

    /// Hides a received message for another time of `visibility`. The new receipt, or `None` if the message is gone or
    /// was received by somebody else since.
    pub async fn renew_message(
        &self,
        queue: &str,
        id: &str,
        pop_receipt: &str,
        visibility: Duration,
    ) -> Result<Option<String>, StoreError> {
        let client = self.queue_client(queue)?;
        match self.0.patience.ask(client.update_message(id, pop_receipt, seconds(visibility), None)).await {
            Ok(answer) => match answer.headers().get_optional_string(&POP_RECEIPT) {
                Some(receipt) => Ok(Some(receipt)),
                None => Err(StoreError::Unavailable("the renewed message came without a receipt".into())),
            },
            Err(problem) if is_stale(&problem) => Ok(None),
            Err(problem) => Err(problem.into()),
        }
    }

    /// Whether the message was there and still the receiver's.
    pub async fn delete_message(&self, queue: &str, id: &str, pop_receipt: &str) -> Result<bool, StoreError> {
        let client = self.queue_client(queue)?;
        match self.0.patience.ask(client.delete_message(id, pop_receipt, None)).await {
            Ok(_) => Ok(true),
            Err(problem) if is_stale(&problem) => Ok(false),
            Err(problem) => Err(problem.into()),
        }
    }

    /// Up to `max` visible messages (32 at most), untouched.
    pub async fn peek_messages(&self, queue: &str, max: usize) -> Result<Vec<Message>, StoreError> {
        let options = QueueClientPeekMessagesOptions { number_of_messages: Some(batch(max)), ..Default::default() };
        let client = self.queue_client(queue)?;
        let answer = self.0.patience.ask(client.peek_messages(Some(options))).await?;
        let peeked = answer.into_model().map_err(Problem::from)?;
        Ok(peeked.items.unwrap_or_default().into_iter().map(peeked_message).collect())
    }
}

/// The receipt was overtaken, or the message is gone.
fn is_stale(problem: &Problem) -> bool {
    problem.is(404, "MessageNotFound") || problem.is(400, "PopReceiptMismatch")
}

fn batch(max: usize) -> i32 {
    i32::try_from(max.clamp(1, MOST)).unwrap_or(1)
}

/// Whole seconds that are not shorter.
fn seconds(span: Duration) -> i32 {
    let up = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    i32::try_from(up).unwrap_or(i32::MAX)
}

fn timestamp(at: Option<OffsetDateTime>) -> Timestamp {
    let millis = at.map(|at| at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or_default())
}

fn count(dequeued: Option<i64>) -> u32 {
    dequeued.and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
}

fn received_message(message: ReceivedMessage) -> Message {
    Message {
        id: message.message_id.unwrap_or_default(),
        pop_receipt: message.pop_receipt.unwrap_or_default(),
        dequeue_count: count(message.dequeue_count),
        inserted_at: timestamp(message.insertion_time),
        expires_at: timestamp(message.expiration_time),
        next_visible_at: timestamp(message.time_next_visible),
        text: message.message_text.unwrap_or_default(),
    }
}

fn peeked_message(message: PeekedMessage) -> Message {
    Message {
        id: message.message_id.unwrap_or_default(),
        pop_receipt: String::new(),
        dequeue_count: count(message.dequeue_count),
        inserted_at: timestamp(message.insertion_time),
        expires_at: timestamp(message.expiration_time),
        next_visible_at: timestamp(message.insertion_time),
        text: message.message_text.unwrap_or_default(),
    }
}
