//! Reading runs without touching them.

use bytes::{Bytes, BytesMut};

use super::ports::StoreError;
use super::{Engine, log, rows};
use crate::model::{Event, Run, RunId, Scope};

/// One page of a list.
#[derive(Debug)]
pub struct RunPage {
    pub runs: Vec<Run>,
    /// The cursor for the following page, if there may be one.
    pub next: Option<String>,
}

impl Engine {
    pub async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        match self.store.get(id.tag().as_str(), &rows::run_key(id)).await? {
            Some(stored) => rows::from_record(stored).map(Some),
            None => Ok(None),
        }
    }

    /// The run of this scope that started last.
    pub async fn latest(&self, scope: &Scope) -> Result<Option<Run>, StoreError> {
        let found = self.store.range(scope.tag().as_str(), "run:", "run;", 1).await?;
        found.into_iter().next().map(|(_, stored)| rows::from_record(stored)).transpose()
    }

    /// Runs of a pipeline, the newest first. `after` is the cursor that the page before ended with.
    pub async fn list(&self, pipeline: &str, after: Option<&str>, limit: usize) -> Result<RunPage, StoreError> {
        let after = after.unwrap_or(rows::LIST_FROM);
        let entries = self.store.range(&rows::index_partition(pipeline), after, rows::LIST_TO, limit).await?;
        let next = (entries.len() == limit).then(|| entries.last().map(|(key, _)| key.clone())).flatten();
        let mut runs = Vec::with_capacity(entries.len());
        for (_, entry) in entries {
            let id = entry.record.get("run").and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            // A start that died before its transaction left an entry without a run.
            runs.extend(self.run(&id).await?);
        }
        Ok(RunPage { runs, next })
    }

    /// Every event of a run, in order.
    pub async fn history(&self, id: &RunId) -> Result<Vec<Event>, StoreError> {
        const PAGE: usize = 500;
        let (mut after, before) = rows::event_range(id);
        let mut events = Vec::new();
        loop {
            let page = self.store.range(id.tag().as_str(), &after, &before, PAGE).await?;
            let more = page.len() == PAGE;
            for (key, stored) in page {
                events.push(rows::from_record(stored)?);
                after = key;
            }
            if !more {
                return Ok(events);
            }
        }
    }

    /// Bytes `from..to` of a committed log, counted over all its segments and cut at its end.
    pub async fn read_log(&self, run: &Run, name: &str, from: u64, to: u64) -> Result<Bytes, StoreError> {
        let Some((extents, pipeline)) = run.logs.get(name).zip(self.registry.get(&run.pipeline)) else {
            return Ok(Bytes::new());
        };
        let mut found = BytesMut::new();
        let mut begin = 0;
        for (index, &length) in extents.segments.iter().enumerate() {
            let (start, end) = (from.max(begin), to.min(begin + length));
            if start < end {
                let segment = log::segment(pipeline.spec.logs, &run.id, name, index);
                found.extend_from_slice(&self.logs.read(&segment, start - begin, end - begin).await?);
            }
            begin += length;
        }
        Ok(found.freeze())
    }
}
