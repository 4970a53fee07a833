//! One thread that writes for the whole process. Whatever waits when it is free becomes one transaction, because a
//! commit costs as much as many rows.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::doorbell::Ringer;
use super::unavailable;
use crate::engine::ports::StoreError;

/// Writes in one commit, so that the first of them does not wait for ever.
const GROUP: usize = 512;
/// How soon a ring that found its listener busy is tried again.
const RING_AGAIN: Duration = Duration::from_millis(1);

pub(super) struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

/// One write that waits for its turn.
trait Job: Send {
    /// Does the write within the open transaction. May be called again if that transaction came to nothing.
    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// The queue that has a new message by this write.
    fn rings(&self) -> Option<&str>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<W, T> {
    write: W,
    rings: Option<String>,
    result: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, T> Job for Task<W, T>
where
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.result = Some((self.write)(connection)?);
        Ok(())
    }

    fn rings(&self) -> Option<&str> {
        self.rings.as_deref()
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { result, answer, .. } = *self;
        let gone = || StoreError::Unavailable("the write was not made".into());
        // A caller that no longer listens has given up; the write stands.
        let _ = answer.send(committed.and_then(|()| result.ok_or_else(gone)));
    }
}

impl Writer {
    /// The thread ends with the last handle of the store.
    pub(super) fn start(connection: Connection, lock: fs::File, ringer: Ringer) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::channel();
        thread::Builder::new()
            .name("windlass-writer".into())
            .spawn(move || Desk { connection, lock, ringer }.serve(&waiting))
            .map_err(unavailable)?;
        Ok(Self { jobs })
    }

    /// The answer of `write` once it is committed. `write` decides by what it reads whether and what to write; it must
    /// leave nothing behind when it decides against.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(None, write).await
    }

    /// As [`Writer::write`]; listeners hear the queue's name once the write is committed.
    pub(super) async fn write_and_ring<T: Send + 'static>(
        &self,
        queue: &str,
        write: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Some(queue.to_owned()), write).await
    }

    async fn submit<T: Send + 'static>(
        &self,
        rings: Option<String>,
        write: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError::Unavailable("the writer has stopped".into());
        let (answer, answered) = oneshot::channel();
        let task = Box::new(Task { write, rings, result: None, answer });
        self.jobs.send(task).map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

/// What the thread owns.
struct Desk {
    connection: Connection,
    lock: fs::File,
    ringer: Ringer,
}

impl Desk {
    fn serve(mut self, waiting: &mpsc::Receiver<Box<dyn Job>>) {
        loop {
            let first =
                if self.ringer.owes() { waiting.recv_timeout(RING_AGAIN) } else { waiting.recv().map_err(Into::into) };
            match first {
                Ok(first) => {
                    let mut group = vec![first];
                    group.extend(waiting.try_iter().take(GROUP - 1));
                    self.commit(group);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.ringer.ring([]),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn commit(&mut self, mut group: Vec<Box<dyn Job>>) {
        match self.in_one_transaction(&mut group) {
            Ok(()) => {
                self.ringer.ring(group.iter().filter_map(|job| job.rings()));
                for job in group {
                    job.answer(Ok(()));
                }
            }
            // One write that cannot be made must not take the others with it.
            Err(_) if group.len() > 1 => {
                for job in group {
                    self.commit(vec![job]);
                }
            }
            Err(error) => {
                for job in group {
                    job.answer(Err(error.clone()));
                }
            }
        }
    }

    fn in_one_transaction(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        self.lock.lock().map_err(unavailable)?;
        let done = Self::transact(&mut self.connection, group).map_err(unavailable);
        let unlocked = self.lock.unlock().map_err(unavailable);
        done.and(unlocked)
    }

    fn transact(connection: &mut Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        // Rolled back unless it is committed.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in group {
            job.apply(&transaction)?;
        }
        transaction.commit()
    }
}
