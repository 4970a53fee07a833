//! Connections for reading. In WAL mode readers wait for nobody, and nobody for them.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::schema::File;
use super::unavailable;
use crate::engine::ports::StoreError;

/// Connections that are kept when they are not used.
const KEPT: usize = 8;

pub(super) struct Readers {
    file: File,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(file: File) -> Self {
        Self { file, idle: Mutex::new(Vec::new()) }
    }

    /// Sees everything that was committed before the call, by whichever process.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.file.connect()?,
        };
        let answer = read(&connection).map_err(unavailable);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
        answer
    }
}
