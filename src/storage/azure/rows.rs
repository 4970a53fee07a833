//! Rows in partitions, as entities of one table.

use std::cmp::min;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::AzureStorage;
use super::tables::{Change, Entity, Failed, columns};
use crate::engine::ports::{Record, RunStore, StoreError, Stored, TransactError, Version, Write};
use crate::storage::limits;

/// Rows in one answer of the service.
const PAGE: usize = 1_000;

#[async_trait]
impl RunStore for AzureStorage {
    async fn get(&self, partition: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        limits::check_key("partition", partition)?;
        limits::check_key("row key", key)?;
        match self.0.tables.get(partition, key).await? {
            Some(entity) => self.restore(entity).await.map(Some),
            None => Ok(None),
        }
    }

    async fn transact(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Version>, TransactError> {
        limits::check_transaction(partition, &writes)?;
        let mut changes = Vec::with_capacity(writes.len());
        for (index, write) in writes.into_iter().enumerate() {
            changes.push(self.prepare(partition, write).await?.ok_or(TransactError::Conflict(index))?);
        }
        let answer = match changes.as_slice() {
            [] => return Ok(Vec::new()),
            // A request of its own is smaller, and costs the same.
            [change] => self.0.tables.apply(partition, change).await.map(|version| vec![version]),
            _ => self.0.tables.transact(partition, &changes).await,
        };
        let versions = answer.map_err(|failed| match failed {
            Failed::Conflict(index) => TransactError::Conflict(index),
            Failed::Problem(problem) => TransactError::Store(problem.into()),
        })?;
        Ok(versions.into_iter().map(Version).collect())
    }

    async fn range(
        &self,
        partition: &str,
        after: &str,
        before: &str,
        limit: usize,
    ) -> Result<Vec<(String, Stored)>, StoreError> {
        let mut found = Vec::new();
        let mut place = None;
        // A page may be short or empty and still not be the last.
        while found.len() < limit {
            let most = min(limit - found.len(), PAGE);
            let page = self.0.tables.page(partition, after, before, most, place.as_ref()).await?;
            for entity in page.entities {
                found.push((entity.key.clone(), self.restore(entity).await?));
            }
            place = page.next;
            if place.is_none() {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

impl AzureStorage {
    /// Puts aside what does not fit, then says what to send. `None` if the version is none that a service gave out,
    /// `*` above all, which would match any row.
    async fn prepare(&self, partition: &str, write: Write) -> Result<Option<Change>, StoreError> {
        let genuine = |version: &Version| version.0.starts_with("W/\"") && !version.0.contains(char::is_control);
        Ok(match write {
            Write::Insert { key, record } => {
                let body = self.encode(partition, &key, record).await?;
                Some(Change::Insert { body })
            }
            Write::Replace { key, version, record } if genuine(&version) => {
                let body = self.encode(partition, &key, record).await?;
                Some(Change::Replace { key, version: version.0, body })
            }
            Write::Delete { key, version } if genuine(&version) => Some(Change::Delete { key, version: version.0 }),
            Write::Replace { .. } | Write::Delete { .. } => None,
        })
    }

    async fn encode(&self, partition: &str, key: &str, record: Record) -> Result<String, StoreError> {
        let encoded = columns::encode(record);
        for (name, text) in &encoded.put_aside {
            self.0.overflow.put(name, text).await?;
        }
        let mut entity: Map<String, Value> = encoded.columns;
        entity.insert("PartitionKey".into(), partition.into());
        entity.insert("RowKey".into(), key.into());
        Ok(Value::Object(entity).to_string())
    }

    async fn restore(&self, entity: Entity) -> Result<Stored, StoreError> {
        let mut decoded = columns::decode(entity.columns);
        for missing in decoded.put_aside {
            let found = self.0.overflow.get(&missing.blob).await?;
            match found.and_then(|text| columns::revive(missing.form, &text)) {
                Ok(value) => drop(decoded.record.insert(missing.field, value)),
                Err(why) => drop(decoded.flaw.get_or_insert(format!("its field '{}': {why}", missing.field))),
            }
        }
        Ok(Stored { version: Version(entity.version), record: decoded.record, flaw: decoded.flaw })
    }
}
