//! Whether the storage is there and answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::Stores;
use crate::engine::PipelineSpec;
use crate::http::{Check, Readiness};

/// The pause between two tries to prepare a storage that does not answer.
const AGAIN: Duration = Duration::from_secs(2);

pub struct StorageReadiness {
    stores: Stores,
    /// On a developer's machine nobody else makes tables, queues and containers; in Azure the infrastructure does.
    make_missing: bool,
    prepared: AtomicBool,
    warnings: usize,
}

impl StorageReadiness {
    /// `warnings` is how many settings are likely not meant as they are.
    pub fn new(stores: Stores, make_missing: bool, warnings: usize) -> Self {
        Self { stores, make_missing, prepared: AtomicBool::new(false), warnings }
    }

    /// Makes what is missing, again and again until it is there.
    pub async fn prepare(&self, specs: &[&'static PipelineSpec]) {
        if self.make_missing {
            while let Err(error) = self.stores.ensure(specs).await {
                tracing::warn!(%error, "the storage is not ready");
                tokio::time::sleep(AGAIN).await;
            }
        }
        self.prepared.store(true, Ordering::Release);
        tracing::info!("ready");
    }
}

#[async_trait]
impl Readiness for StorageReadiness {
    async fn checks(&self) -> Vec<Check> {
        let fault = match self.prepared.load(Ordering::Acquire) {
            false => Some("its tables, queues and containers are being made".to_owned()),
            true => self.stores.runs.get("health", "probe").await.err().map(|error| error.to_string()),
        };
        vec![Check { name: "storage", fault }]
    }

    fn warnings(&self) -> usize {
        self.warnings
    }
}
