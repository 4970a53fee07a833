//! Rows in partitions.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Embedded, Kind};
use crate::engine::ports::{Record, RunStore, StoreError, Stored, TransactError, Version, Write};
use crate::storage::limits::{self, refused};

/// A write whose record is text already, so that the writer's thread need not make it.
struct Prepared {
    key: String,
    change: Change,
}

enum Change {
    Insert { record: String },
    Replace { expected: i64, record: String },
    Delete { expected: i64 },
}

#[async_trait]
impl RunStore for Embedded {
    async fn get(&self, partition: &str, key: &str) -> Result<Option<Stored>, StoreError> {
        self.count(Kind::Table);
        self.read(|connection| {
            connection
                .prepare_cached("SELECT version, record FROM rows WHERE partition = ?1 AND key = ?2")?
                .query_row([partition, key], |row| stored(row, 0))
                .optional()
        })
    }

    async fn transact(&self, partition: &str, writes: Vec<Write>) -> Result<Vec<Version>, TransactError> {
        limits::check_transaction(partition, &writes)?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let writes = writes.into_iter().enumerate().map(prepare).collect::<Result<Vec<_>, _>>()?;
        self.count(Kind::Table);
        let partition = partition.to_owned();
        let outcome = self.0.writer.write(move |connection| transact(connection, &partition, &writes)).await?;
        outcome.map_err(TransactError::Conflict)
    }

    async fn range(
        &self,
        partition: &str,
        after: &str,
        before: &str,
        limit: usize,
    ) -> Result<Vec<(String, Stored)>, StoreError> {
        self.count(Kind::Table);
        let (partition, after, before) = (partition.to_owned(), after.to_owned(), before.to_owned());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read_much(move |connection| {
            connection
                .prepare_cached(
                    "SELECT key, version, record FROM rows
                     WHERE partition = ?1 AND key > ?2 AND key < ?3 ORDER BY key LIMIT ?4",
                )?
                .query_map(params![partition, after, before, limit], |row| Ok((row.get(0)?, stored(row, 1)?)))?
                .collect()
        })
        .await
    }
}

fn prepare((index, write): (usize, Write)) -> Result<Prepared, TransactError> {
    // A version that this store did not give out is the version of no row.
    let expected = |version: &Version| parse_version(version).ok_or(TransactError::Conflict(index));
    let text = |record: &Record| serde_json::to_string(record).map_err(|error| refused(error.to_string()));
    let key = write.key().to_owned();
    let change = match &write {
        Write::Insert { record, .. } => Change::Insert { record: text(record)? },
        Write::Replace { version, record, .. } => {
            Change::Replace { expected: expected(version)?, record: text(record)? }
        }
        Write::Delete { version, .. } => Change::Delete { expected: expected(version)? },
    };
    Ok(Prepared { key, change })
}

/// All writes, or none and the index of the first that met a row which is not as it expected.
fn transact(
    connection: &Connection,
    partition: &str,
    writes: &[Prepared],
) -> rusqlite::Result<Result<Vec<Version>, usize>> {
    let mut present = connection.prepare_cached("SELECT version FROM rows WHERE partition = ?1 AND key = ?2")?;
    for (index, write) in writes.iter().enumerate() {
        let found: Option<i64> = present.query_row([partition, &write.key], |row| row.get(0)).optional()?;
        let expected = match write.change {
            Change::Insert { .. } => None,
            Change::Replace { expected, .. } | Change::Delete { expected } => Some(expected),
        };
        if found != expected {
            return Ok(Err(index));
        }
    }
    writes.iter().map(|write| apply(connection, partition, write)).collect::<rusqlite::Result<Vec<_>>>().map(Ok)
}

fn apply(connection: &Connection, partition: &str, write: &Prepared) -> rusqlite::Result<Version> {
    // Random, so that a row which is deleted and made again never bears a version it had before.
    let version = fastrand::i64(..);
    match &write.change {
        Change::Insert { record } => connection
            .prepare_cached("INSERT INTO rows (partition, key, version, record) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![partition, write.key, version, record])?,
        Change::Replace { record, .. } => connection
            .prepare_cached("UPDATE rows SET version = ?3, record = ?4 WHERE partition = ?1 AND key = ?2")?
            .execute(params![partition, write.key, version, record])?,
        Change::Delete { .. } => {
            connection
                .prepare_cached("DELETE FROM rows WHERE partition = ?1 AND key = ?2")?
                .execute([partition, &write.key])?;
            return Ok(Version(String::new()));
        }
    };
    Ok(format_version(version))
}

fn format_version(version: i64) -> Version {
    Version(format!("{version:016x}"))
}

fn parse_version(version: &Version) -> Option<i64> {
    u64::from_str_radix(&version.0, 16).ok().map(u64::cast_signed)
}

fn stored(row: &Row<'_>, column: usize) -> rusqlite::Result<Stored> {
    let version = format_version(row.get(column)?);
    Ok(match serde_json::from_slice(row.get_ref(column + 1)?.as_bytes()?) {
        Ok(record) => Stored { version, record, flaw: None },
        Err(error) => Stored { version, record: Record::new(), flaw: Some(format!("no JSON object: {error}")) },
    })
}
