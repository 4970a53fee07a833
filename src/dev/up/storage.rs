//! The queues that the local host listens to.

use std::sync::Arc;

use anyhow::Context;

use super::UpOptions;
use crate::app;
use crate::dev::host::QueueSource;
use crate::dev::queues::{AccountQueues, EmbeddedQueues};
use crate::pipelines::SPECS;
use crate::storage::Operations;
use crate::storage::azure::{AzureStorage, Connection};
use crate::storage::embedded::Embedded;

pub async fn queues(options: &UpOptions) -> anyhow::Result<Arc<dyn QueueSource>> {
    if options.storage == "embedded" {
        let directory = options.data.join("storage");
        let store = Embedded::open(&directory, Operations::default())
            .with_context(|| format!("the storage in {} cannot be opened", directory.display()))?;
        return Ok(Arc::new(EmbeddedQueues(store)));
    }
    let connection = connection(options)?;
    let table = std::env::var("WINDLASS_TABLE").unwrap_or_else(|_| "windlass".to_owned());
    let account = AzureStorage::new(&connection, &table, Operations::default()).context("--storage")?;
    account
        .ensure(&app::queues(SPECS), &app::containers(SPECS))
        .await
        .context("the storage account does not answer; for Azurite start it first: npx azurite --disableTelemetry")?;
    Ok(Arc::new(AccountQueues(account)))
}

/// The storage account that was named.
pub fn connection(options: &UpOptions) -> anyhow::Result<Connection> {
    Connection::parse(&options.storage).context(
        "--storage takes `embedded`, `UseDevelopmentStorage=true` for Azurite, or a storage account's connection string",
    )
}
