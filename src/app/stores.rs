//! Which storage the ports stand on.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;

use crate::config::{Config, StorageConfig};
use crate::engine::ports::{LogStore, RunStore, StoreError, TicketQueue};
use crate::engine::{Engine, PipelineSpec};
use crate::storage::Operations;
use crate::storage::azure::{AzureStorage, Connection};
use crate::storage::embedded::Embedded;
use crate::triggers::Function;

/// The engine's ports over one storage, and the storage itself for what only composition needs of it.
#[derive(Clone)]
pub struct Stores {
    pub runs: Arc<dyn RunStore>,
    pub tickets: Arc<dyn TicketQueue>,
    pub logs: Arc<dyn LogStore>,
    pub operations: Operations,
    account: Option<AzureStorage>,
}

impl Stores {
    /// Opens the storage that `config` names; talks to nobody yet. `credential` is asked for only where there is no key.
    pub fn open(
        config: &Config,
        credential: impl FnOnce() -> Result<Arc<dyn TokenCredential>, StoreError>,
    ) -> Result<Self, StoreError> {
        let operations = Operations::default();
        let connection = match &config.storage {
            StorageConfig::Embedded { dir } => {
                return Ok(Self::embedded(Embedded::open(dir, operations.clone())?, operations));
            }
            StorageConfig::ConnectionString(secret) => Connection::parse(secret.expose()),
            StorageConfig::Identity { account, .. } => {
                Connection::identity(account, &config.cloud.storage_suffix, credential()?)
            }
        };
        let connection = connection.map_err(|error| StoreError::Refused(error.to_string()))?;
        let account = AzureStorage::new(&connection, &config.table, operations.clone())?;
        Ok(Self::account(account, operations))
    }

    fn embedded(store: Embedded, operations: Operations) -> Self {
        let (runs, tickets, logs) = (Arc::new(store.clone()), Arc::new(store.clone()), Arc::new(store));
        Self { runs, tickets, logs, operations, account: None }
    }

    fn account(store: AzureStorage, operations: Operations) -> Self {
        let (runs, tickets, logs) = (Arc::new(store.clone()), Arc::new(store.clone()), Arc::new(store.clone()));
        Self { runs, tickets, logs, operations, account: Some(store) }
    }

    /// Makes the table, the queues and the containers that are missing.
    pub async fn ensure(&self, specs: &[&'static PipelineSpec]) -> Result<(), StoreError> {
        let Some(account) = &self.account else { return Ok(()) };
        account.ensure(&queues(specs), &containers(specs)).await
    }
}

/// Every queue that a function listens to.
pub fn queues(specs: &[&PipelineSpec]) -> Vec<String> {
    Function::of(specs).into_iter().filter_map(|(_, function)| function.queue()).collect()
}

/// Every container that something is written to.
pub fn containers(specs: &[&'static PipelineSpec]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = specs.iter().map(|spec| spec.logs).collect();
    names.extend([Engine::POISON, crate::storage::azure::OVERFLOW_CONTAINER]);
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TimerSpec;
    use crate::pipelines::probe;

    #[test]
    fn a_timer_has_no_queue() {
        const TIMER: TimerSpec = TimerSpec { name: "probe-look", schedule: "0 */30 * * * *" };
        let spec = PipelineSpec { timers: &[TIMER], ..probe::SPEC };
        assert_eq!(Function::of(&[&spec]).len(), queues(&[&spec]).len() + 2, "the sweep has none either");
        assert_eq!(queues(&[&spec]), queues(&[&probe::SPEC]));
    }
}
