//! A store under test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use windlass::engine::ports::{LogStore, Record, RunStore, StoreError, TicketQueue};
use windlass::storage::azure::{AzureStorage, Connection};
use windlass::storage::embedded::Embedded;
use windlass::storage::{Message, Operations};

use crate::azurite::Azurite;

/// What the suite asks of a store: the ports, and the local host's side of the queues.
#[async_trait]
pub trait Store: RunStore + TicketQueue + LogStore + Clone + 'static {
    async fn put(&self, queue: &str, text: &str, delay: Duration) -> Result<(), StoreError>;
    async fn receive(&self, queue: &str, max: usize, visibility: Duration) -> Result<Vec<Message>, StoreError>;
    async fn renew(&self, queue: &str, message: &Message, visibility: Duration) -> Result<Option<String>, StoreError>;
    async fn delete(&self, queue: &str, id: &str, pop_receipt: &str) -> Result<bool, StoreError>;
    async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Message>, StoreError>;
}

macro_rules! store {
    ($store:ty) => {
        #[async_trait]
        impl Store for $store {
            async fn put(&self, queue: &str, text: &str, delay: Duration) -> Result<(), StoreError> {
                self.put_message(queue, text, delay).await
            }

            async fn receive(&self, queue: &str, max: usize, hidden: Duration) -> Result<Vec<Message>, StoreError> {
                self.receive_messages(queue, max, hidden).await
            }

            async fn renew(&self, queue: &str, it: &Message, hidden: Duration) -> Result<Option<String>, StoreError> {
                self.renew_message(queue, &it.id, &it.pop_receipt, hidden).await
            }

            async fn delete(&self, queue: &str, id: &str, pop_receipt: &str) -> Result<bool, StoreError> {
                self.delete_message(queue, id, pop_receipt).await
            }

            async fn peek(&self, queue: &str, max: usize) -> Result<Vec<Message>, StoreError> {
                self.peek_messages(queue, max).await
            }
        }
    };
}

store!(Embedded);
store!(AzureStorage);

pub struct Subject<S> {
    pub store: S,
    /// Another handle on the same data, with connections of its own.
    pub other: S,
    /// Two queues and a container that no other test uses.
    pub queue: String,
    pub other_queue: String,
    pub container: String,
    _directory: Option<TempDir>,
}

pub fn embedded() -> Subject<Embedded> {
    let directory = tempfile::tempdir().unwrap();
    let open = || Embedded::open(directory.path(), Operations::default()).unwrap();
    Subject {
        store: open(),
        other: open(),
        queue: "queue-a".into(),
        other_queue: "queue-b".into(),
        container: "logs".into(),
        _directory: Some(directory),
    }
}

pub async fn azurite() -> Subject<AzureStorage> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let connection = Connection::parse(&Azurite::shared().connection_string()).unwrap();
    let open = || AzureStorage::new(&connection, &format!("Table{number}"), Operations::default()).unwrap();
    let subject = Subject {
        store: open(),
        other: open(),
        queue: format!("queue-a{number}"),
        other_queue: format!("queue-b{number}"),
        container: format!("logs{number}"),
        _directory: None,
    };
    let queues = [subject.queue.clone(), subject.other_queue.clone()];
    // Twice, because a second start finds everything there.
    for store in [&subject.store, &subject.other] {
        store.ensure(&queues, &[&subject.container]).await.unwrap();
    }
    subject
}

impl<S> Subject<S> {
    pub fn segment(&self, name: &str) -> String {
        format!("{}/{name}", self.container)
    }
}

pub fn record(fields: Value) -> Record {
    match fields {
        Value::Object(record) => record,
        other => panic!("{other} is no record"),
    }
}
