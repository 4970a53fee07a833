//! Queues in memory, with or without a doorbell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use windlass::dev::host::{Doorbell, QueueMessage, QueueSource, QueueSourceError};
use windlass::model::Timestamp;

#[derive(Clone, PartialEq, Debug)]
pub enum Seen {
    Received { queue: String, max: usize, visibility: Duration },
    Renewed { queue: String, visibility: Duration },
    Deleted { queue: String },
    Put { queue: String, text: String },
}

#[derive(Default)]
pub struct Store {
    queues: Mutex<BTreeMap<String, Vec<QueueMessage>>>,
    seen: Mutex<Vec<Seen>>,
    changed: Notify,
    bells: Mutex<Vec<mpsc::UnboundedSender<String>>>,
    rings: bool,
}

pub fn now() -> Timestamp {
    Timestamp::from_millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

impl Store {
    pub fn polled() -> Arc<Self> {
        Arc::default()
    }

    pub fn ringing() -> Arc<Self> {
        Arc::new(Self { rings: true, ..Self::default() })
    }

    pub fn create(&self, queue: &str) {
        self.queues.lock().unwrap().entry(queue.to_owned()).or_default();
    }

    pub fn enqueue(&self, queue: &str, text: &str, delay: Duration) {
        let message = QueueMessage {
            id: uuid(),
            receipt: uuid(),
            dequeue_count: 0,
            inserted_at: now(),
            expires_at: now() + Duration::from_secs(7 * 86_400),
            next_visible_at: now() + delay,
            text: text.to_owned(),
        };
        self.queues.lock().unwrap().entry(queue.to_owned()).or_default().push(message);
        self.note(Seen::Put { queue: queue.to_owned(), text: text.to_owned() });
        self.ring(queue);
    }

    /// The texts in a queue, in order of arrival.
    pub fn texts(&self, queue: &str) -> Vec<String> {
        let queues = self.queues.lock().unwrap();
        queues.get(queue).into_iter().flatten().map(|message| message.text.clone()).collect()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until the condition holds; it is asked after every change.
    pub async fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if condition(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    fn note(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
        self.changed.notify_waiters();
    }

    fn ring(&self, queue: &str) {
        self.bells.lock().unwrap().retain(|bell| bell.send(queue.to_owned()).is_ok());
    }
}

fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[async_trait]
impl QueueSource for Store {
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<QueueMessage>, QueueSourceError> {
        let mut taken = Vec::new();
        if let Some(messages) = self.queues.lock().unwrap().get_mut(queue) {
            for message in messages.iter_mut().filter(|message| message.next_visible_at <= now()).take(max) {
                message.dequeue_count += 1;
                message.receipt = uuid();
                message.next_visible_at = now() + visibility;
                taken.push(message.clone());
            }
        }
        self.note(Seen::Received { queue: queue.to_owned(), max, visibility });
        Ok(taken)
    }

    async fn renew(
        &self,
        queue: &str,
        id: &str,
        receipt: &str,
        visibility: Duration,
    ) -> Result<Option<String>, QueueSourceError> {
        let mut renewed = None;
        if let Some(message) = self
            .queues
            .lock()
            .unwrap()
            .get_mut(queue)
            .and_then(|messages| messages.iter_mut().find(|message| message.id == id && message.receipt == receipt))
        {
            message.receipt = uuid();
            message.next_visible_at = now() + visibility;
            renewed = Some(message.receipt.clone());
        }
        self.note(Seen::Renewed { queue: queue.to_owned(), visibility });
        self.ring(queue);
        Ok(renewed)
    }

    async fn delete(&self, queue: &str, id: &str, receipt: &str) -> Result<bool, QueueSourceError> {
        let deleted = self.queues.lock().unwrap().get_mut(queue).is_some_and(|messages| {
            let before = messages.len();
            messages.retain(|message| message.id != id || message.receipt != receipt);
            messages.len() < before
        });
        self.note(Seen::Deleted { queue: queue.to_owned() });
        Ok(deleted)
    }

    async fn put(&self, queue: &str, text: &str) -> Result<(), QueueSourceError> {
        self.enqueue(queue, text, Duration::ZERO);
        Ok(())
    }

    async fn exists(&self, queue: &str) -> Result<bool, QueueSourceError> {
        Ok(self.queues.lock().unwrap().contains_key(queue))
    }

    fn doorbell(&self) -> Option<Box<dyn Doorbell>> {
        let (bell, rung) = mpsc::unbounded_channel();
        self.bells.lock().unwrap().push(bell);
        self.rings.then(|| Box::new(Bell(rung)) as Box<dyn Doorbell>)
    }

    async fn next_visible(&self, queue: &str) -> Result<Option<Timestamp>, QueueSourceError> {
        let queues = self.queues.lock().unwrap();
        Ok(queues.get(queue).into_iter().flatten().map(|message| message.next_visible_at).min())
    }
}

struct Bell(mpsc::UnboundedReceiver<String>);

#[async_trait]
impl Doorbell for Bell {
    async fn rung(&mut self) -> String {
        match self.0.recv().await {
            Some(queue) => queue,
            None => std::future::pending().await,
        }
    }
}
