//! What the storage itself allows: the calls of four-phase runs, with nothing around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::engine::ports::{LogStore, Record, RunStore, TicketQueue, Write};
use crate::model::{RunId, Scope, Ticket};
use crate::storage::Operations;
use crate::storage::azure::{AzureStorage, Connection};
use bytes::Bytes;
use serde_json::json;

const QUEUES: [&str; 4] = ["floor-a", "floor-b", "floor-c", "floor-d"];

pub async fn runs_per_second(connection: &str, count: usize) -> anyhow::Result<f64> {
    let connection = Connection::parse(connection)?;
    let store = AzureStorage::new(&connection, "windlassfloor", Operations::default())?;
    let queues: Vec<String> = QUEUES.iter().map(|&queue| queue.to_owned()).collect();
    store.ensure(&queues, &["floor-logs"]).await?;
    run(&store).await?;
    let begun = Instant::now();
    let next = Arc::new(AtomicUsize::new(1));
    let workers: Vec<_> = (0..32)
        .map(|_| {
            let (store, next) = (store.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    if next.fetch_add(1, Ordering::Relaxed) > count {
                        return anyhow::Ok(());
                    }
                    run(&store).await?;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

fn record() -> Record {
    let value =
        json!({"status": "Running", "seq": 1, "input": {}, "state": {"done": ["prepare"]}, "padding": "x".repeat(600)});
    value.as_object().cloned().unwrap_or_default()
}

/// One run: the start's three calls, then for each phase a receive, a read, a claim, an append, a commit, a send and a
/// delete.
async fn run(store: &AzureStorage) -> anyhow::Result<()> {
    let scope = Scope::new(format!("floor:{}", fastrand::u64(..)));
    let id = RunId::new(&scope, 1, fastrand::u64(..));
    let partition = id.tag().as_str();
    let insert = |key: String| Write::Insert { key, record: record() };
    let entries = vec![insert(format!("active:{id}")), insert(format!("list:{id}"))];
    store.transact("index:floor", entries).await?;
    let rows = vec![insert("lock".into()), insert("run:1".into()), insert("event:1".into())];
    let mut version = store.transact(partition, rows).await?[1].clone();
    let ticket = Ticket { run: id.clone(), phase: "prepare".into(), seq: 0 };
    store.send(QUEUES[0], &ticket, Duration::ZERO).await?;
    let segment = format!("floor-logs/{id}/probe.log");
    let mut length = 0;
    for (index, queue) in QUEUES.iter().enumerate() {
        let message = loop {
            let found = store.receive_messages(queue, 1, Duration::from_secs(600)).await?;
            if let Some(message) = found.into_iter().next() {
                break message;
            }
        };
        store.get(partition, "run:1").await?;
        let claim = Write::Replace { key: "run:1".into(), version, record: record() };
        version = store.transact(partition, vec![claim]).await?[0].clone();
        let line = Bytes::from_static(b"prepare: attempt 1\n");
        store.append(&segment, length, line.clone()).await?;
        length += line.len() as u64;
        let commit = vec![
            Write::Replace { key: "run:1".into(), version, record: record() },
            insert(format!("event:{}", index + 2)),
        ];
        version = store.transact(partition, commit).await?[0].clone();
        if let Some(next) = QUEUES.get(index + 1) {
            store.send(next, &ticket, Duration::ZERO).await?;
        }
        store.delete_message(queue, &message.id, &message.pop_receipt).await?;
    }
    Ok(())
}
