//! The file that holds everything, and its tables.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::{now, unavailable};
use crate::engine::ports::StoreError;
use crate::storage::limits::refused;

/// The version of the tables; a file of another one is left alone.
const VERSION: i64 = 1;
const DATABASE: &str = "windlass.db";
const LOCK: &str = "windlass.lock";
/// Only checkpoints and foreign tools make a connection wait; writers queue at the lock file.
const BUSY: Duration = Duration::from_secs(5);
const CACHED_STATEMENTS: usize = 64;

const TABLES: &str = "
    CREATE TABLE rows (
        id INTEGER PRIMARY KEY,
        partition TEXT NOT NULL,
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        record TEXT NOT NULL
    );
    CREATE UNIQUE INDEX rows_by_key ON rows (partition, key);

    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        queue TEXT NOT NULL,
        visible_at INTEGER NOT NULL,
        inserted_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        dequeue_count INTEGER NOT NULL DEFAULT 0,
        receipt INTEGER,
        text TEXT NOT NULL
    );
    CREATE INDEX messages_by_turn ON messages (queue, visible_at);

    CREATE TABLE segments (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE blocks (
        id INTEGER PRIMARY KEY,
        segment INTEGER NOT NULL REFERENCES segments (id),
        start INTEGER NOT NULL,
        number INTEGER NOT NULL,
        bytes BLOB NOT NULL
    );
    CREATE UNIQUE INDEX blocks_by_start ON blocks (segment, start);
";

/// A directory whose database is ready to be connected to.
pub(super) struct File {
    directory: PathBuf,
}

impl File {
    /// Makes directory and tables unless they are there. Two processes may do so at once.
    pub(super) fn prepare(directory: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(directory)
            .and_then(|()| fs::canonicalize(directory))
            .map_err(|error| refused(format!("cannot make the directory {}: {error}", directory.display())))
            .map(|directory| Self { directory })
            .and_then(|file| file.make_tables().map(|()| file))
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file whose lock a process holds while it writes. The kernel hands the lock on the moment it is free (or its
    /// holder dead), where SQLite's own would be polled for.
    pub(super) fn lock(&self) -> Result<fs::File, StoreError> {
        let path = self.directory.join(LOCK);
        fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| refused(format!("cannot open {}: {error}", path.display())))
    }

    pub(super) fn connect(&self) -> Result<Connection, StoreError> {
        let path = self.directory.join(DATABASE);
        let connect = || {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
            connection.execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = NORMAL;
                 PRAGMA wal_autocheckpoint = 4000;
                 PRAGMA cache_size = -16000;
                 PRAGMA mmap_size = 268435456;
                 PRAGMA temp_store = MEMORY;",
            )?;
            Ok(connection)
        };
        connect().map_err(|error: rusqlite::Error| unavailable(format!("cannot open {}: {error}", path.display())))
    }

    fn make_tables(&self) -> Result<(), StoreError> {
        // Held until the end of the function.
        let lock = self.lock()?;
        lock.lock().map_err(unavailable)?;
        let connection = self.connect()?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(unavailable)?;
        match version {
            VERSION => drop_expired(&connection).map_err(unavailable),
            0 => connection
                .execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"))
                .map_err(unavailable),
            other => Err(refused(format!(
                "{} was made by another version of this program (tables {other}, known {VERSION}); move it away",
                self.directory.join(DATABASE).display()
            ))),
        }
    }
}

/// Nobody receives an expired message; this gives its place back.
fn drop_expired(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM messages WHERE expires_at <= ?1", [now().as_millis()]).map(|_| ())
}
