//! The host's part: messages are received, delivered, deleted; and the workers and the sweep may die at any point.

use std::cell::Cell;
use std::time::Duration;

use windlass::engine::{Acknowledged, DeliveryError, Engine};
use windlass::model::Ticket;

use super::World;
use super::storage::Message;

thread_local! {
    static DEAD: Cell<bool> = const { Cell::new(false) };
}

/// Marks the task that is being polled as dead, and never returns to it.
pub async fn die<T>() -> T {
    DEAD.set(true);
    std::future::pending().await
}

/// Runs a piece of a worker's life; `None` if it died on the way. A death is noticed right after the poll in which
/// it happened, so that it is always its own worker's.
pub async fn live<T>(life: impl Future<Output = T>) -> Option<T> {
    let mut life = std::pin::pin!(life);
    std::future::poll_fn(|context| {
        DEAD.set(false);
        match life.as_mut().poll(context) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending if DEAD.take() => std::task::Poll::Ready(None),
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}

/// What came of one delivery.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Came {
    Acknowledged(Acknowledged),
    Failed,
    Died,
}

impl World {
    /// A received message is hidden this long unless its worker says otherwise.
    const HIDDEN: Duration = Duration::from_secs(600);
    const MOST_DELIVERIES: u32 = 5;

    /// Receives one visible message, any of them.
    pub fn receive(&self) -> Option<Message> {
        let now = self.now();
        let mut tables = self.tables.lock().expect("never poisoned");
        let mut chaos = self.chaos.lock().expect("never poisoned");
        let receipt = tables.fresh();
        let visible: Vec<usize> =
            (0..tables.messages.len()).filter(|&at| tables.messages[at].visible_at <= now).collect();
        if visible.is_empty() {
            return None;
        }
        let at = visible[chaos.pick(visible.len())];
        let message = &mut tables.messages[at];
        message.visible_at = now + Self::HIDDEN;
        message.dequeued += 1;
        message.receipt = receipt;
        let received = message.clone();
        // Now and then a copy of it is delivered as well: at once, or much later.
        if chaos.chance(60) {
            let delay = if chaos.chance(500) { Duration::from_secs(7200) } else { Duration::ZERO };
            let id = tables.fresh();
            let copy = Message { id, visible_at: now + chaos.span(delay), ..received.clone() };
            tables.messages.push(copy);
        }
        Some(received)
    }

    pub fn delete(&self, message: &Message) {
        let mut tables = self.tables.lock().expect("never poisoned");
        tables.messages.retain(|held| held.id != message.id || held.receipt != message.receipt);
    }

    fn release(&self, message: &Message) {
        let visible_at = self.now() + Duration::from_secs(5);
        let mut tables = self.tables.lock().expect("never poisoned");
        let held = tables.messages.iter_mut().find(|held| held.id == message.id && held.receipt == message.receipt);
        if let Some(held) = held {
            held.visible_at = visible_at;
        }
    }

    /// One delivery as the host makes it, poison rule included.
    pub async fn deliver(&self, engine: &Engine, message: &Message) -> Came {
        if message.dequeued > Self::MOST_DELIVERIES {
            let answer = live(engine.poisoned(&message.queue, &message.text)).await;
            if matches!(answer, Some(Ok(_))) {
                self.delete(message);
            }
            return Came::Failed;
        }
        let ticket: Ticket = serde_json::from_str(&message.text).expect("the world sends tickets alone");
        match live(engine.deliver(&message.queue, &ticket)).await {
            Some(Ok(answer)) => {
                // A deletion may get lost; the message comes again.
                if !self.chaos.lock().expect("never poisoned").chance(40) {
                    self.delete(message);
                }
                Came::Acknowledged(answer)
            }
            Some(Err(DeliveryError::Store(_))) => {
                self.release(message);
                Came::Failed
            }
            None => Came::Died,
        }
    }

    async fn worker(&self, engine: &Engine) {
        loop {
            match self.receive() {
                Some(message) => {
                    self.deliver(engine, &message).await;
                }
                None => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn sweeper(&self, engine: &Engine) {
        loop {
            tokio::time::sleep(Duration::from_secs(30)).await;
            if let Some(Ok(report)) = live(engine.sweep()).await {
                let breaches = report.breaches.iter().map(|breach| format!("{}: {}", breach.run, breach.what));
                self.tables.lock().expect("never poisoned").breaches.extend(breaches);
            }
        }
    }

    async fn until_quiet(&self, longest: Duration) {
        let end = self.now() + longest;
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let quiet = self.runs().iter().all(windlass::model::Run::is_ended)
                && self.tables.lock().expect("never poisoned").messages.is_empty();
            if quiet || self.now() > end {
                return;
            }
        }
    }

    /// Three workers and a sweep, until every run has ended and every message is gone, or the time is up.
    pub async fn turn(&self, longest: Duration) {
        let engines = [self.engine("a"), self.engine("b"), self.engine("c"), self.engine("s")];
        tokio::select! {
            biased;
            () = self.until_quiet(longest) => {}
            () = self.worker(&engines[0]) => {}
            () = self.worker(&engines[1]) => {}
            () = self.worker(&engines[2]) => {}
            () = self.sweeper(&engines[3]) => {}
        }
    }
}
