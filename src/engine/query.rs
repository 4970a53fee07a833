//! Reading runs without touching them.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

use super::ports::StoreError;
use super::{Engine, PipelineSpec, log, rows, schema};
use crate::model::{Event, Run, RunId, Scope};

/// One page of a list.
#[derive(Debug)]
pub struct RunPage {
    pub runs: Vec<Run>,
    /// Runs of the page whose rows this version cannot read.
    pub unreadable: Vec<RunId>,
    /// The cursor for the following page, if there may be one.
    pub next: Option<RunId>,
}

impl Engine {
    pub async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        match self.store.get(id.tag().as_str(), &rows::run_key(id)).await? {
            Some(stored) => Ok(Some(schema::read(id.tag().as_str(), &rows::run_key(id), stored)?)),
            None => Ok(None),
        }
    }

    /// The run of this scope that started last.
    pub async fn latest(&self, scope: &Scope) -> Result<Option<Run>, StoreError> {
        let tag = scope.tag();
        let found = self.store.range(tag.as_str(), rows::RUN_FROM, rows::RUN_TO, 1).await?;
        let newest = found.into_iter().next().map(|(key, stored)| schema::read(tag.as_str(), &key, stored));
        Ok(newest.transpose()?)
    }

    /// The run of this scope and of one of these pipelines that started last. One that cannot be read is stepped over once
    /// it has let the scope go: nothing is decided by what it did any more.
    pub async fn latest_of(&self, scope: &Scope, pipelines: &[&str]) -> Result<Option<Run>, StoreError> {
        const PAGE: usize = 8;
        let mut after = "run:".to_owned();
        loop {
            let page = self.store.range(scope.tag().as_str(), &after, "run;", PAGE).await?;
            let more = page.len() == PAGE;
            for (key, stored) in page {
                match schema::read::<Run>(scope.tag().as_str(), &key, stored) {
                    Ok(run) if pipelines.contains(&run.pipeline.as_str()) => return Ok(Some(run)),
                    Err(row) if self.owner(scope).await?.is_some_and(|owner| rows::run_key(&owner) == key) => {
                        return Err(row.into());
                    }
                    Ok(_) | Err(_) => after = key,
                }
            }
            if !more {
                return Ok(None);
            }
        }
    }

    /// The run that has the scope's lock.
    pub async fn owner(&self, scope: &Scope) -> Result<Option<RunId>, StoreError> {
        let lock = self.store.get(scope.tag().as_str(), rows::LOCK).await?;
        Ok(lock.as_ref().and_then(rows::lock_owner))
    }

    /// What this engine can run, in the order of registration.
    pub fn pipelines(&self) -> impl Iterator<Item = &'static PipelineSpec> {
        self.registry.iter().map(|pipeline| pipeline.spec)
    }

    /// Runs of a pipeline, the newest first. `after` is the cursor that the page before ended with, or any run: the
    /// page begins with what is older than it.
    pub async fn list(&self, pipeline: &str, after: Option<&RunId>, limit: usize) -> Result<RunPage, StoreError> {
        const AT_ONCE: usize = 16;
        let after = after.map_or_else(|| rows::LIST_FROM.to_owned(), rows::list_key);
        let entries = self.store.range(&rows::index_partition(pipeline), &after, rows::LIST_TO, limit).await?;
        let full = entries.len() == limit;
        let ids = entries.iter().map(|(key, _)| rows::listed(key)).collect::<Result<Vec<_>, _>>()?;
        let next = ids.last().filter(|_| full).cloned();
        let found: Vec<_> =
            stream::iter(ids).map(|id| self.listed(id)).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
        let (runs, unreadable): (Vec<_>, Vec<_>) = found.into_iter().flatten().partition(Result::is_ok);
        let unreadable = unreadable.into_iter().filter_map(Result::err).collect();
        Ok(RunPage { runs: runs.into_iter().flatten().collect(), unreadable, next })
    }

    /// The run, or its id if this version cannot read it. A start that died before its transaction left an entry without a
    /// run.
    async fn listed(&self, id: RunId) -> Result<Option<Result<Run, RunId>>, StoreError> {
        match self.run(&id).await {
            Err(StoreError::Unreadable(_)) => Ok(Some(Err(id))),
            found => Ok(found?.map(Ok)),
        }
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
                events.push(schema::read(id.tag().as_str(), &key, stored)?);
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
