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
    /// Half the longest time between two sweeps, and the least.
    const SWEEPS: Duration = Duration::from_secs(30);

    /// Receives one visible message, any of them.
    pub fn receive(&self) -> Option<Message> {
        let now = self.now();
        let mut tables = self.tables.lock().expect("never poisoned");
        let mut chaos = self.chaos.lock().expect("never poisoned");
        let visible = tables.messages.iter().filter(|message| message.visible_at <= now).count();
        if visible == 0 {
            return None;
        }
        let receipt = tables.fresh();
        let chosen = chaos.pick(visible);
        let message = tables.messages.iter_mut().filter(|message| message.visible_at <= now).nth(chosen)?;
        message.visible_at = now + Self::HIDDEN;
        message.dequeued += 1;
        message.receipt = receipt;
        let received = message.clone();
        if let Some(later) = chaos.copy_after().filter(|_| !received.copy) {
            let id = tables.fresh();
            tables.messages.push(Message { id, visible_at: now + later, copy: true, ..received.clone() });
            self.changed.notify_waiters();
        }
        Some(received)
    }

    /// Receives a message as soon as there is one.
    pub async fn next_message(&self) -> Message {
        loop {
            let changed = self.changed.notified();
            if let Some(message) = self.receive() {
                return message;
            }
            let soonest = {
                let tables = self.tables.lock().expect("never poisoned");
                tables.messages.iter().map(|message| message.visible_at).min()
            };
            match soonest {
                Some(at) => {
                    let pause = at.since(self.now());
                    tokio::select! { biased; () = changed => {} () = tokio::time::sleep(pause) => {} }
                }
                None => changed.await,
            }
        }
    }

    pub fn delete(&self, message: &Message) {
        let mut tables = self.tables.lock().expect("never poisoned");
        tables.messages.retain(|held| held.id != message.id || held.receipt != message.receipt);
        self.changed.notify_waiters();
    }

    fn release(&self, message: &Message) {
        let visible_at = self.now() + Duration::from_secs(5);
        let mut tables = self.tables.lock().expect("never poisoned");
        let held = tables.messages.iter_mut().find(|held| held.id == message.id && held.receipt == message.receipt);
        if let Some(held) = held {
            held.visible_at = visible_at;
            self.changed.notify_waiters();
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
            let message = self.next_message().await;
            self.deliver(engine, &message).await;
        }
    }

    async fn sweeper(&self, engine: &Engine) {
        loop {
            let early = self.chaos.lock().expect("never poisoned").jitter(Self::SWEEPS);
            tokio::time::sleep(Self::SWEEPS * 2 - early).await;
            if let Some(Ok(report)) = live(engine.sweep()).await {
                let breaches = report.breaches.iter().map(|breach| format!("{}: {}", breach.run, breach.what));
                self.tables.lock().expect("never poisoned").breaches.extend(breaches);
            }
        }
    }

    fn is_quiet(&self) -> bool {
        let tables = self.tables.lock().expect("never poisoned");
        tables.live == 0 && tables.messages.is_empty()
    }

    async fn until_quiet(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_quiet() {
                return;
            }
            changed.await;
        }
    }

    /// Three workers and a sweep, until `story` is told, every run has ended and every message is gone; at the latest
    /// after `longest`.
    pub async fn play(&self, longest: Duration, story: impl Future<Output = ()>) {
        let engines = [self.engine("a"), self.engine("b"), self.engine("c"), self.engine("s")];
        let told = async {
            story.await;
            self.until_quiet().await;
        };
        tokio::select! {
            biased;
            _ = tokio::time::timeout(longest, told) => {}
            () = self.worker(&engines[0]) => {}
            () = self.worker(&engines[1]) => {}
            () = self.worker(&engines[2]) => {}
            () = self.sweeper(&engines[3]) => {}
        }
    }

    /// Lets the world go on by itself.
    pub async fn turn(&self, longest: Duration) {
        self.play(longest, async {}).await;
    }
}
