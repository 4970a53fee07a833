//! Holds a phase up in the middle of what it does outside, so that a test can act meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use windlass::engine::PhaseError;
use windlass::git::Discovery;
use windlass::pipelines::upgrade::Component;
use windlass::pipelines::upgrade::ports::{BuildOrder, Context, Images, Output, Prepared, Progress, Source};

/// Stops everybody until it is opened for good.
pub struct Gate {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { arrived: Semaphore::new(0), open: Semaphore::new(0) })
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        // An error says that the gate is open.
        let _ = self.open.acquire().await;
    }

    /// Waits until so many stand before the gate.
    pub async fn arrivals(&self, number: u32) {
        self.arrived.acquire_many(number).await.expect("never closed").forget();
    }

    pub fn open(&self) {
        self.open.close();
    }
}

/// Stops after the sources are prepared, before anything is done with them.
pub struct GatedSource {
    pub inner: Arc<dyn Source>,
    pub gate: Arc<Gate>,
}

#[async_trait]
impl Source for GatedSource {
    fn address(&self) -> Option<String> {
        self.inner.address()
    }

    async fn discover(&self) -> Result<Discovery, PhaseError> {
        self.inner.discover().await
    }

    async fn prepare(
        &self,
        job: &str,
        tag: &str,
        components: &[Component],
        within: Duration,
    ) -> Result<Prepared, PhaseError> {
        let prepared = self.inner.prepare(job, tag, components, within).await;
        self.gate.pass().await;
        prepared
    }

    async fn discard(&self, job: &str) -> Result<(), PhaseError> {
        self.inner.discard(job).await
    }
}

/// Where the builder's calls stop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Once a build is scheduled, before its id is known to anybody.
    Scheduled,
    /// Before the first look at a build.
    Looking,
}

pub struct GatedImages {
    pub inner: Arc<dyn Images>,
    pub stop: Stop,
    pub gate: Arc<Gate>,
}

#[async_trait]
impl Images for GatedImages {
    async fn upload(&self, context: &Context) -> Result<String, PhaseError> {
        self.inner.upload(context).await
    }

    async fn schedule(&self, order: &BuildOrder) -> Result<String, PhaseError> {
        let id = self.inner.schedule(order).await;
        if self.stop == Stop::Scheduled {
            self.gate.pass().await;
        }
        id
    }

    async fn progress(&self, id: &str) -> Result<Progress, PhaseError> {
        if self.stop == Stop::Looking {
            self.gate.pass().await;
        }
        self.inner.progress(id).await
    }

    async fn output(&self, id: &str, from: u64, most: usize) -> Result<Output, PhaseError> {
        self.inner.output(id, from, most).await
    }

    async fn cancel(&self, id: &str) -> Result<(), PhaseError> {
        self.inner.cancel(id).await
    }
}

/// Every file below a directory.
pub fn files_below(directory: &std::path::Path) -> Vec<PathBuf> {
    let mut pending = vec![directory.to_owned()];
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
        } else {
            files.push(path);
        }
    }
    files
}
