//! A run's logs while a worker holds it: lines gather in memory, go out in large appends at stated positions, and
//! count only once the run's row says how long they are.
//!
//! A log equals the concatenation of its segments, each up to its committed length. What lies beyond that length was
//! said by a worker that died before it could commit: if the next one says the same bytes they are taken over, if it
//! says others the log goes on in a new segment and the stray bytes are never read.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::ports::{Appended, LogStore, StoreError};
use crate::model::{LogExtents, RunId, redact};

/// The name of a log's segment: `<container>/<run id>/<log>.log`, later ones numbered.
pub fn segment(container: &str, run: &RunId, log: &str, index: usize) -> String {
    match index {
        0 => format!("{container}/{run}/{log}.log"),
        later => format!("{container}/{run}/{log}.{later}.log"),
    }
}

pub struct LogBook {
    store: Arc<dyn LogStore>,
    container: String,
    run: RunId,
    written: BTreeMap<String, LogExtents>,
    pending: BTreeMap<String, BytesMut>,
}

impl LogBook {
    /// An append block holds 4 MiB; ours stay below.
    const BLOCK: usize = 1 << 20;

    pub fn new(store: Arc<dyn LogStore>, container: &str, run: &RunId, written: BTreeMap<String, LogExtents>) -> Self {
        Self { store, container: container.to_owned(), run: run.clone(), written, pending: BTreeMap::new() }
    }

    /// Adds one line, its secrets masked.
    pub fn line(&mut self, log: &str, line: &str) {
        let pending = self.pending.entry(log.to_owned()).or_default();
        pending.extend_from_slice(redact(line).as_bytes());
        pending.extend_from_slice(b"\n");
    }

    /// What has been written so far; worth nothing until it is committed with the run.
    pub fn extents(&self) -> BTreeMap<String, LogExtents> {
        self.written.clone()
    }

    /// Writes everything that is pending. After an error the lines that were not written are still pending.
    pub async fn flush(&mut self) -> Result<(), StoreError> {
        let logs: Vec<String> = self.pending.keys().cloned().collect();
        for log in logs {
            while let Some(pending) = self.pending.get(&log) {
                let Some(block) = pending.chunks(Self::BLOCK).next().map(Bytes::copy_from_slice) else {
                    self.pending.remove(&log);
                    break;
                };
                let written = self.write(&log, &block).await?;
                if let Some(pending) = self.pending.get_mut(&log) {
                    let _ = pending.split_to(written.min(pending.len()));
                }
            }
        }
        Ok(())
    }

    /// Appends a part of `block`, or finds that it is there already; returns how many bytes that were.
    async fn write(&mut self, log: &str, block: &Bytes) -> Result<usize, StoreError> {
        let extents = self.written.entry(log.to_owned()).or_default();
        if extents.segments.is_empty() {
            extents.segments.push(0);
        }
        loop {
            let index = extents.segments.len() - 1;
            let Some(length) = extents.segments.last_mut() else { return Ok(0) };
            let name = segment(&self.container, &self.run, log, index);
            match self.store.append(&name, *length, block.clone()).await? {
                Appended::Written => {
                    *length += block.len() as u64;
                    return Ok(block.len());
                }
                Appended::Full => extents.segments.push(0),
                Appended::Elsewhere { length: actual } if actual < *length => {
                    return Err(StoreError::Refused(format!(
                        "log segment {name} holds {actual} bytes of the {length} that were committed"
                    )));
                }
                Appended::Elsewhere { length: actual } => {
                    let same = (actual - *length).min(block.len() as u64);
                    let there = self.store.read(&name, *length, *length + same).await?;
                    if same > 0 && block.starts_with(&there) && there.len() as u64 == same {
                        *length += same;
                        return Ok(there.len());
                    }
                    extents.segments.push(0);
                }
            }
        }
    }
}
