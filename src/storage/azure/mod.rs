//! The ports on a storage account, or on Azurite.
//!
//! - `connection`: where the account is and what opens it
//! - `signing`: Shared Key, which the crates leave to their callers
//! - `wire`: what all clients share: transport, retries, deadline, and what an error means
//! - `tables/`: a Table client on azure_core's pipeline, because the crates have none; `rows` is the port on it
//! - `overflow`: values that outgrow their row
//! - `messages`, `segments`: the other ports, on azure_storage_queue and azure_storage_blob
//!
//! A reply that was lost is [`StoreError::Unavailable`]: the write may have been made. The pipeline repeats requests,
//! and a repeated write meets its own first try as a conflict; who wrote it is for the engine to see.

mod connection;
mod messages;
mod overflow;
mod rows;
mod segments;
mod signing;
mod tables;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::ClientOptions;
use azure_storage_blob::{BlobServiceClient, BlobServiceClientOptions};
use azure_storage_queue::{QueueServiceClient, QueueServiceClientOptions};
use futures::future::try_join_all;

pub use connection::{BadConnection, Connection};

use super::limits::{self, refused};
use super::operations::{Kind, Operations};
use crate::engine::ports::StoreError;
use overflow::Overflow;
use signing::Scheme;
use tables::Tables;
use wire::Patience;

/// The container of values that outgrew their row.
pub const OVERFLOW_CONTAINER: &str = "windlass-overflow";

/// A handle on one storage account; clones share its connections.
#[derive(Clone)]
pub struct AzureStorage(Arc<Inner>);

struct Inner {
    tables: Tables,
    queues: QueueServiceClient,
    blobs: BlobServiceClient,
    overflow: Overflow,
    patience: Patience,
}

impl AzureStorage {
    /// Talks to nobody yet. `table` has 3 to 63 letters and digits and begins with a letter.
    pub fn new(connection: &Connection, table: &str, operations: Operations) -> Result<Self, StoreError> {
        Self::build(connection, table, operations, Patience::default())
    }

    /// As [`AzureStorage::new`], with another time that an operation may take with all its tries.
    pub fn with_deadline(
        connection: &Connection,
        table: &str,
        operations: Operations,
        deadline: Duration,
    ) -> Result<Self, StoreError> {
        Self::build(connection, table, operations, Patience(deadline))
    }

    fn build(
        connection: &Connection,
        table: &str,
        operations: Operations,
        patience: Patience,
    ) -> Result<Self, StoreError> {
        let transport = wire::transport()?;
        let options = |scheme, kind| wire::options(connection, scheme, kind, &operations, &transport);
        let blobs = BlobServiceClient::new(
            connection.blob.clone(),
            connection.credential(),
            Some(BlobServiceClientOptions { client_options: options(Scheme::Full, Kind::Log), ..Default::default() }),
        );
        let queues = QueueServiceClient::new(
            connection.queue.clone(),
            connection.credential(),
            Some(QueueServiceClientOptions {
                client_options: options(Scheme::Full, Kind::Queue),
                ..Default::default()
            }),
        );
        let client_options: ClientOptions = options(Scheme::Lite, Kind::Table);
        let tables = Tables::new(connection, table, client_options, patience)?;
        let blobs = blobs.map_err(|error| refused(wire::describe(&error)))?;
        let queues = queues.map_err(|error| refused(wire::describe(&error)))?;
        let overflow = Overflow::new(blobs.blob_container_client(OVERFLOW_CONTAINER), patience);
        Ok(Self(Arc::new(Inner { tables, queues, blobs, overflow, patience })))
    }

    /// Makes what is missing: the table, these queues, these containers and the one for overflow.
    pub async fn ensure(&self, queues: &[String], containers: &[&str]) -> Result<(), StoreError> {
        queues.iter().try_for_each(|queue| limits::check_queue(queue))?;
        self.0.tables.create().await?;
        try_join_all(queues.iter().map(|queue| self.ensure_queue(queue))).await?;
        let containers = containers.iter().copied().chain([OVERFLOW_CONTAINER]);
        try_join_all(containers.map(|container| self.ensure_container(container))).await?;
        Ok(())
    }

    async fn ensure_queue(&self, queue: &str) -> Result<(), StoreError> {
        let client = self.queue_client(queue)?;
        match self.0.patience.ask(client.create(None)).await {
            Err(problem) if !problem.is(409, "QueueAlreadyExists") => Err(problem.into()),
            _ => Ok(()),
        }
    }

    async fn ensure_container(&self, container: &str) -> Result<(), StoreError> {
        let client = self.0.blobs.blob_container_client(container);
        match self.0.patience.ask(client.create(None)).await {
            Err(problem) if !problem.is(409, "ContainerAlreadyExists") => Err(problem.into()),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for AzureStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AzureStorage").field("table", &self.0.tables).finish_non_exhaustive()
    }
}
