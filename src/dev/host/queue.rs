//! The listener of one queue function: receives, invokes, renews, deletes, and gives up on a message in the end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::envelope::{self, Undecodable};
use super::functions::Function;
use super::invoker::Invoker;
use super::moment;
use super::queues::{QueueMessage, QueueSource};
use super::settings::QueueSettings;

/// A received message is hidden so long, and hidden again at half of it.
const HIDDEN: Duration = Duration::from_secs(600);
/// What the host appends to a queue's name for what it has given up.
const POISON: &str = "-poison";
/// The shortest pause between two polls.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

pub struct Listener {
    pub function: Arc<Function>,
    pub queue: String,
    pub settings: QueueSettings,
    pub source: Arc<dyn QueueSource>,
    pub invoker: Arc<Invoker>,
    /// Rung when the queue may hold another message, if the source can tell.
    pub bell: Option<Arc<Notify>>,
    /// Nothing is received after this.
    pub closing: CancellationToken,
    pub running: TaskTracker,
}

/// How many messages are in work, and who waits for fewer.
#[derive(Default)]
struct Load {
    count: Mutex<usize>,
    fewer: Notify,
}

impl Load {
    fn count(&self) -> usize {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn remove(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.fewer.notify_one();
    }
}

impl Listener {
    /// Listens until the host closes. What is received by then is worked on to its end.
    pub async fn run(self) {
        let this = Arc::new(self);
        let load = Arc::new(Load::default());
        let mut pause = LEAST_PAUSE;
        let mut troubled = false;
        this.wait_for_queue().await;
        // Without a handler a message is better left where it is.
        while matches!(this.closing.run_until_cancelled(this.invoker.handler.ready()).await, Some(Some(_))) {
            while load.count() > this.settings.new_batch_threshold && this.unless_closing(load.fewer.notified()).await {
            }
            // A receive is never cut off: what it has taken would stay hidden.
            match this.source.receive(&this.queue, this.settings.batch_size, HIDDEN).await {
                Ok(messages) if messages.is_empty() => {
                    troubled = false;
                    pause = this.rest(pause).await;
                }
                Ok(messages) if this.closing.is_cancelled() => {
                    for message in messages {
                        this.renew(&message, &Mutex::new(message.receipt.clone()), Duration::ZERO).await;
                    }
                }
                Ok(messages) => {
                    troubled = false;
                    pause = LEAST_PAUSE;
                    for message in messages {
                        load.add();
                        let (this, load) = (Arc::clone(&this), Arc::clone(&load));
                        let running = this.running.clone();
                        running.spawn(async move {
                            this.work(message).await;
                            load.remove();
                        });
                    }
                }
                Err(error) => {
                    if !troubled {
                        this.complain(&format!("cannot receive from queue '{}': {error}; it keeps trying", this.queue));
                        troubled = true;
                    }
                    this.unless_closing(tokio::time::sleep(pause)).await;
                    pause = this.longer(pause);
                    this.wait_for_queue().await;
                }
            }
        }
    }

    /// False if the host closed first.
    async fn unless_closing(&self, what: impl Future<Output = ()>) -> bool {
        self.closing.run_until_cancelled(what).await.is_some()
    }

    /// The real host's listener does not make its queue: it waits until somebody does.
    async fn wait_for_queue(&self) {
        let mut pause = LEAST_PAUSE;
        while matches!(self.source.exists(&self.queue).await, Ok(false))
            && self.unless_closing(tokio::time::sleep(pause)).await
        {
            pause = self.longer(pause);
        }
    }

    /// After an empty receive: until the bell rings or the next message is due, or for a growing pause.
    async fn rest(&self, pause: Duration) -> Duration {
        let Some(bell) = &self.bell else {
            self.unless_closing(tokio::time::sleep(pause)).await;
            return self.longer(pause);
        };
        let due = match self.source.next_visible(&self.queue).await {
            Ok(Some(at)) => {
                Some(at.since(crate::model::Timestamp::from_millis(now_millis())).max(Duration::from_millis(1)))
            }
            Ok(None) => None,
            Err(_) => Some(self.settings.max_polling_interval),
        };
        let wait = async {
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout(due, bell.notified()).await;
                }
                None => bell.notified().await,
            }
        };
        self.unless_closing(wait).await;
        LEAST_PAUSE
    }

    fn longer(&self, pause: Duration) -> Duration {
        (pause * 2).mul_f64(0.8 + 0.4 * fastrand::f64()).clamp(LEAST_PAUSE, self.settings.max_polling_interval)
    }

    fn complain(&self, what: &str) {
        self.invoker.voice.complain(&format!("function '{}' {what}", self.function.name));
    }

    async fn work(&self, message: QueueMessage) {
        let receipt = Mutex::new(message.receipt.clone());
        if message.dequeue_count > self.settings.max_dequeue_count {
            return self.give_up(&message, &receipt).await;
        }
        let text = match envelope::decode(&message.text, self.settings.encoding) {
            Ok(text) => text,
            Err(why @ Undecodable::NotBase64) => {
                self.complain(&format!("was not invoked: the message {} {why}", message.id));
                return self.give_up(&message, &receipt).await;
            }
            Err(why @ Undecodable::NotText) => {
                return self
                    .failed(&message, &receipt, &format!("was not invoked: the message {} {why}", message.id))
                    .await;
            }
        };
        let body = envelope::queue(&self.function.name, &self.function.binding, &message, &text);
        let invocation = self.invoker.invoke(&self.function, &body);
        tokio::pin!(invocation);
        let mut renewal = tokio::time::interval_at(tokio::time::Instant::now() + HIDDEN / 2, HIDDEN / 2);
        let outcome = loop {
            tokio::select! {
                outcome = &mut invocation => break outcome,
                _ = renewal.tick() => self.renew(&message, &receipt, HIDDEN).await,
            }
        };
        match outcome {
            Ok(_) => self.delete(&message, &receipt).await,
            Err(why) => self.failed(&message, &receipt, &why).await,
        }
    }

    async fn failed(&self, message: &QueueMessage, receipt: &Mutex<String>, why: &str) {
        let most = self.settings.max_dequeue_count;
        self.complain(&format!("{why} [message {}, attempt {} of {most}]", message.id, message.dequeue_count));
        if message.dequeue_count >= most || self.poison_queue().is_none() {
            return self.give_up(message, receipt).await;
        }
        self.renew(message, receipt, self.settings.visibility_timeout).await;
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }

    /// None for what is a poison queue itself: its messages have nowhere else to go.
    fn poison_queue(&self) -> Option<String> {
        (!self.queue.ends_with(POISON)).then(|| format!("{}{POISON}", self.queue))
    }

    /// Copies the message to the poison queue, then deletes it. Between the two steps it may be in both.
    async fn give_up(&self, message: &QueueMessage, receipt: &Mutex<String>) {
        let Some(poison) = self.poison_queue() else {
            return self.complain(&format!(
                "leaves message {} hidden for {} minutes, as the real host does where it has no poison queue; after {} \
                 attempts it is invoked no more",
                message.id,
                HIDDEN.as_secs() / 60,
                self.settings.max_dequeue_count
            ));
        };
        self.complain(&format!("gives message {} up; it is in queue '{poison}' now", message.id));
        match self.source.put(&poison, &message.text).await {
            Ok(()) => self.delete(message, receipt).await,
            Err(error) => self.complain(&format!("cannot put a message into queue '{poison}': {error}")),
        }
    }

    async fn renew(&self, message: &QueueMessage, receipt: &Mutex<String>, visibility: Duration) {
        let known = current(receipt);
        match self.source.renew(&self.queue, &message.id, &known, visibility).await {
            Ok(Some(new)) => *receipt.lock().unwrap_or_else(PoisonError::into_inner) = new,
            Ok(None) => {
                self.complain(&format!("no longer holds message {}: somebody else has received it", message.id))
            }
            Err(error) => self.complain(&format!("cannot change when message {} shows again: {error}", message.id)),
        }
    }

    async fn delete(&self, message: &QueueMessage, receipt: &Mutex<String>) {
        match self.source.delete(&self.queue, &message.id, &current(receipt)).await {
            Ok(true) => {}
            Ok(false) => self.complain(&format!(
                "could not delete message {}: its receipt is no longer good. Was it deleted or updated by the function? The host \
                 deletes messages",
                message.id
            )),
            Err(error) => self.complain(&format!("could not delete message {}: {error}", message.id)),
        }
    }
}

fn current(receipt: &Mutex<String>) -> String {
    receipt.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn now_millis() -> i64 {
    i64::try_from(moment::now().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
