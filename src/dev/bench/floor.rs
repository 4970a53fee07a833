//! What the storage itself allows: the calls of four-phase runs, with nothing around them.

use std::time::{Duration, Instant};

use crate::engine::ports::{LogStore, Record, RunStore, TicketQueue, Write};
use crate::model::{RunId, Scope, Ticket};
use crate::storage::azure::{AzureStorage, Connection};
use crate::storage::{Message, Operations};
use anyhow::Context;
use bytes::Bytes;
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

const QUEUES: [&str; 4] = ["floor-a", "floor-b", "floor-c", "floor-d"];

const WORKERS: usize = 32;
const BATCH: usize = 16;

pub async fn runs_per_second(connection: &str, count: usize) -> anyhow::Result<f64> {
    let connection = Connection::parse(connection)?;
    let store = AzureStorage::new(&connection, "windlassfloor", Operations::default())?;
    let queues: Vec<String> = QUEUES.iter().map(|&queue| queue.to_owned()).collect();
    store.ensure(&queues, &["floor-logs"]).await?;
    rounds(&store, WORKERS).await?;
    let begun = Instant::now();
    rounds(&store, count).await?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Starts `count` runs at a time of [`WORKERS`] and works until the last phase of each is done.
async fn rounds(store: &AzureStorage, count: usize) -> anyhow::Result<()> {
    let listeners: Vec<_> =
        QUEUES.iter().enumerate().map(|(index, _)| tokio::spawn(listen(store.clone(), index, count))).collect();
    let starts = stream::iter(0..count).map(|_| start(store)).buffer_unordered(WORKERS);
    starts.try_for_each(async |()| Ok(())).await?;
    for listener in listeners {
        listener.await??;
    }
    Ok(())
}

fn record() -> Record {
    let value =
        json!({"status": "Running", "seq": 1, "input": {}, "state": {"done": ["prepare"]}, "padding": "x".repeat(600)});
    value.as_object().cloned().unwrap_or_default()
}

/// The four calls of a start.
async fn start(store: &AzureStorage) -> anyhow::Result<()> {
    let scope = Scope::new(format!("floor:{}", fastrand::u64(..)));
    let id = RunId::new(&scope, 1, fastrand::u64(..));
    store.get(id.tag().as_str(), "chain").await?;
    let insert = |key: String| Write::Insert { key, record: record() };
    let entries = vec![insert(format!("active:{id}")), insert(format!("list:{id}"))];
    store.transact("index:floor", entries).await?;
    let rows = vec![insert("lock".into()), insert("run:1".into()), insert("event:1".into()), insert("chain".into())];
    store.transact(id.tag().as_str(), rows).await?;
    let ticket = Ticket { run: id, phase: "floor".into(), seq: 0 };
    store.send(QUEUES[0], &ticket, Duration::ZERO).await?;
    Ok(())
}

/// Receives in batches, as a host does, until the last queue has seen every run.
async fn listen(store: AzureStorage, index: usize, count: usize) -> anyhow::Result<()> {
    let mut worked = 0;
    while worked < count {
        let messages = store.receive_messages(QUEUES[index], BATCH, Duration::from_secs(600)).await?;
        if messages.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        worked += messages.len();
        try_join_all(messages.iter().map(|message| phase(&store, index, message))).await?;
    }
    Ok(())
}

/// The calls of one delivery: a read, a claim, an append, a commit, a send, a deletion. The last one looks at the lock
/// and at the chain and sends nothing.
async fn phase(store: &AzureStorage, index: usize, message: &Message) -> anyhow::Result<()> {
    let ticket: Ticket = serde_json::from_str(&message.text)?;
    let partition = ticket.run.tag().as_str();
    let run = store.get(partition, "run:1").await?.context("a run is gone")?;
    let claim = Write::Replace { key: "run:1".into(), version: run.version, record: record() };
    let claimed = store.transact(partition, vec![claim]).await?;
    let line = Bytes::from_static(b"prepare: attempt 1\n");
    let position = (index * line.len()) as u64;
    store.append(&format!("floor-logs/{}/probe.log", ticket.run), position, line).await?;
    let version = claimed.into_iter().next().context("no version")?;
    let next = QUEUES.get(index + 1);
    if next.is_none() {
        store.get(partition, "lock").await?;
        store.get(partition, "chain").await?;
    }
    let commit = vec![
        Write::Replace { key: "run:1".into(), version, record: record() },
        Write::Insert { key: format!("event:{}", index + 2), record: record() },
    ];
    store.transact(partition, commit).await?;
    if let Some(next) = next {
        store.send(next, &ticket, Duration::ZERO).await?;
    }
    store.delete_message(QUEUES[index], &message.id, &message.pop_receipt).await?;
    Ok(())
}
