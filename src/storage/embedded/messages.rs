//! Queues: what the engine sends, and what the local host receives.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::{Doorbell, Embedded, Kind, now};
use crate::engine::ports::{StoreError, TicketQueue};
use crate::model::{Ticket, Timestamp};
use crate::storage::Message;
use crate::storage::limits::{self, MESSAGE_LIFE};

#[async_trait]
impl TicketQueue for Embedded {
    async fn send(&self, queue: &str, ticket: &Ticket, delay: Duration) -> Result<(), StoreError> {
        self.put_message(queue, &ticket.to_json(), delay).await
    }

    async fn send_back(&self, queue: &str, message: &str, delay: Duration) -> Result<(), StoreError> {
        self.put_message(queue, message, delay).await
    }
}

impl Embedded {
    /// Puts a message that shows after `delay`. A queue exists once it is used.
    pub async fn put_message(&self, queue: &str, text: &str, delay: Duration) -> Result<(), StoreError> {
        limits::check_queue(queue)?;
        limits::check_message(text, delay)?;
        self.count(Kind::Queue);
        let (queue_name, text) = (queue.to_owned(), text.to_owned());
        self.0.writer.write_and_ring(queue, move |connection| put(connection, &queue_name, &text, delay)).await
    }

    /// Up to `max` visible messages, oldest first, which nobody else receives for the time of `visibility`.
    pub async fn receive_messages(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Message>, StoreError> {
        self.count(Kind::Queue);
        let queue = queue.to_owned();
        self.0.writer.write(move |connection| receive(connection, &queue, max, visibility)).await
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
        self.count(Kind::Queue);
        let Some((id, receipt)) = parse_handle(id, pop_receipt) else { return Ok(None) };
        let queue = queue.to_owned();
        self.0.writer.write(move |connection| renew(connection, &queue, id, receipt, visibility)).await
    }

    /// Whether the message was there and still the receiver's.
    pub async fn delete_message(&self, queue: &str, id: &str, pop_receipt: &str) -> Result<bool, StoreError> {
        self.count(Kind::Queue);
        let Some((id, receipt)) = parse_handle(id, pop_receipt) else { return Ok(false) };
        let queue = queue.to_owned();
        let delete = move |connection: &Connection| {
            connection
                .prepare_cached("DELETE FROM messages WHERE id = ?1 AND receipt = ?2 AND queue = ?3")?
                .execute(params![id, receipt, queue])
        };
        self.0.writer.write(delete).await.map(|deleted| deleted > 0)
    }

    /// When the queue's next message shows: in the past if one is visible, `None` if the queue is empty.
    pub async fn next_visible(&self, queue: &str) -> Result<Option<Timestamp>, StoreError> {
        self.count(Kind::Queue);
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT visible_at FROM messages WHERE queue = ?1 AND expires_at > ?2 ORDER BY visible_at LIMIT 1",
                )?
                .query_row(params![queue, now().as_millis()], |row| row.get(0).map(Timestamp::from_millis))
                .optional()
        })
    }

    /// Up to `max` visible messages, untouched.
    pub async fn peek_messages(&self, queue: &str, max: usize) -> Result<Vec<Message>, StoreError> {
        self.count(Kind::Queue);
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT id, '', dequeue_count, inserted_at, expires_at, inserted_at, text FROM messages
                     WHERE queue = ?1 AND visible_at <= ?2 AND expires_at > ?2 ORDER BY visible_at, id LIMIT ?3",
                )?
                .query_map(params![queue, now().as_millis(), max], message)?
                .collect()
        })
    }

    /// A bell that rings when a message is put by this or another process.
    pub fn doorbell(&self) -> Result<Doorbell, StoreError> {
        Doorbell::hang(self)
    }

    /// Queues with a visible message.
    pub(super) fn visible_queues(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT DISTINCT queue FROM messages WHERE visible_at <= ?1 AND expires_at > ?1")?
                .query_map([now().as_millis()], |row| row.get(0))?
                .collect()
        })
    }
}

/// Ids grow with time, so that equal turns are taken in the order of arrival and the table grows at its end.
fn new_id() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX) & ((1 << 51) - 1);
    (micros << 12) | fastrand::i64(0..1 << 12)
}

fn put(connection: &Connection, queue: &str, text: &str, delay: Duration) -> rusqlite::Result<()> {
    let now = now();
    let mut insert = connection.prepare_cached(
        "INSERT INTO messages (id, queue, visible_at, inserted_at, expires_at, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let (visible, expires) = ((now + delay).as_millis(), (now + MESSAGE_LIFE).as_millis());
    loop {
        let put = insert.execute(params![new_id(), queue, visible, now.as_millis(), expires, text]);
        match put {
            // Another process took the same id in the same microsecond.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => (),
            put => return put.map(|_| ()),
        }
    }
}

fn receive(connection: &Connection, queue: &str, max: usize, visibility: Duration) -> rusqlite::Result<Vec<Message>> {
    let now = now();
    let mut update = connection.prepare_cached(
        "UPDATE messages SET visible_at = ?3, dequeue_count = dequeue_count + 1, receipt = random()
         WHERE id IN (SELECT id FROM messages WHERE queue = ?1 AND visible_at <= ?2 AND expires_at > ?2
                      ORDER BY visible_at, id LIMIT ?4)
         RETURNING id, receipt, dequeue_count, inserted_at, expires_at, visible_at, text",
    )?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let mut messages: Vec<Message> = update
        .query_map(params![queue, now.as_millis(), (now + visibility).as_millis(), max], message)?
        .collect::<rusqlite::Result<_>>()?;
    // RETURNING promises no order.
    messages.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(messages)
}

fn renew(
    connection: &Connection,
    queue: &str,
    id: i64,
    receipt: i64,
    visibility: Duration,
) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "UPDATE messages SET visible_at = ?4, receipt = random()
             WHERE id = ?1 AND receipt = ?2 AND queue = ?3 RETURNING receipt",
        )?
        .query_row(params![id, receipt, queue, (now() + visibility).as_millis()], |row| row.get(0).map(format_hex))
        .optional()
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let time = |column| row.get(column).map(Timestamp::from_millis);
    let received = row.get_ref(1)?.as_i64().ok();
    Ok(Message {
        id: format_hex(row.get(0)?),
        pop_receipt: received.map(format_hex).unwrap_or_default(),
        dequeue_count: row.get(2)?,
        inserted_at: time(3)?,
        expires_at: time(4)?,
        next_visible_at: time(5)?,
        text: row.get(6)?,
    })
}

fn format_hex(number: i64) -> String {
    format!("{number:016x}")
}

fn parse_handle(id: &str, pop_receipt: &str) -> Option<(i64, i64)> {
    let parse = |text: &str| u64::from_str_radix(text, 16).ok().map(u64::cast_signed);
    Some((parse(id)?, parse(pop_receipt)?))
}
