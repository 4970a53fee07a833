//! Log segments: rows of blocks, each at its place.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Embedded, Kind};
use crate::engine::ports::{Appended, LogStore, StoreError};
use crate::storage::limits;

#[async_trait]
impl LogStore for Embedded {
    async fn append(&self, segment: &str, position: u64, bytes: Bytes) -> Result<Appended, StoreError> {
        limits::check_segment(segment)?;
        limits::check_block(&bytes)?;
        self.count(Kind::Log);
        let segment = segment.to_owned();
        let blocks = self.0.blocks_per_segment;
        self.0.writer.write(move |connection| append(connection, &segment, position, &bytes, blocks)).await
    }

    async fn read(&self, segment: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        limits::check_segment(segment)?;
        if start >= end {
            return Ok(Bytes::new());
        }
        self.count(Kind::Log);
        let segment = segment.to_owned();
        self.read_much(move |connection| read(connection, &segment, start, end)).await
    }
}

fn find(connection: &Connection, segment: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM segments WHERE name = ?1")?
        .query_row([segment], |row| row.get(0))
        .optional()
}

fn append(
    connection: &Connection,
    segment: &str,
    position: u64,
    bytes: &[u8],
    most: u32,
) -> rusqlite::Result<Appended> {
    let id = find(connection, segment)?;
    let last: Option<(i64, u32)> = match id {
        None => None,
        Some(id) => connection
            .prepare_cached(
                "SELECT start + length(bytes), number FROM blocks WHERE segment = ?1 ORDER BY start DESC LIMIT 1",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?,
    };
    let (length, blocks) = last.unwrap_or((0, 0));
    if u64::try_from(length) != Ok(position) {
        return Ok(Appended::Elsewhere { length: length.unsigned_abs() });
    }
    if blocks >= most {
        return Ok(Appended::Full);
    }
    let id = match id {
        Some(id) => id,
        None => {
            connection.prepare_cached("INSERT INTO segments (name) VALUES (?1)")?.execute([segment])?;
            connection.last_insert_rowid()
        }
    };
    connection
        .prepare_cached("INSERT INTO blocks (segment, start, number, bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id, length, blocks + 1, bytes])?;
    Ok(Appended::Written)
}

fn read(connection: &Connection, segment: &str, start: u64, end: u64) -> rusqlite::Result<Bytes> {
    let Some(id) = find(connection, segment)? else { return Ok(Bytes::new()) };
    let (start, end) = (i64::try_from(start).unwrap_or(i64::MAX), i64::try_from(end).unwrap_or(i64::MAX));
    // The block that holds `start` begins at or before it.
    let mut statement = connection.prepare_cached(
        "SELECT start, bytes FROM blocks WHERE segment = ?1 AND start < ?3 AND start >=
            (SELECT coalesce(max(start), 0) FROM blocks WHERE segment = ?1 AND start <= ?2)
         ORDER BY start",
    )?;
    let mut found = BytesMut::new();
    let mut rows = statement.query(params![id, start, end])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(0)?;
        let block = row.get_ref(1)?.as_blob()?;
        let within = |position: i64| usize::try_from(position - at).unwrap_or(0).min(block.len());
        found.extend_from_slice(block.get(within(start)..within(end)).unwrap_or_default());
    }
    Ok(found.freeze())
}
