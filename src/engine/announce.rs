//! The index entries of a run. They come before the run, so that whatever dies in between the sweep knows of every
//! run there is.

use super::Engine;
use super::ports::{Record, StoreError, TransactError, Version, Write};
use super::rows;
use crate::model::Run;

impl Engine {
    pub(super) async fn announce(&self, run: &Run) -> Result<Vec<Version>, StoreError> {
        let entry = || -> Result<Record, StoreError> {
            rows::to_record(&serde_json::json!({"run": run.id, "scope": run.scope, "created_at": run.created_at}))
        };
        let writes = vec![
            Write::Insert { key: rows::active_key(&run.id), record: entry()? },
            Write::Insert { key: rows::list_key(&run.id), record: entry()? },
        ];
        let mut tries = 0;
        loop {
            match self.store.transact(&rows::index_partition(&run.pipeline), writes.clone()).await {
                // A conflict can only be our own entry, written by a try whose reply was lost.
                Ok(versions) => return Ok(versions),
                Err(TransactError::Conflict(_)) => return Ok(Vec::new()),
                Err(TransactError::Store(StoreError::Unavailable(_))) if tries < 2 => tries += 1,
                Err(TransactError::Store(error)) => return Err(error),
            }
        }
    }

    /// Takes back the entries of a run that was refused. What cannot be taken back now is left to the sweep.
    pub(super) async fn retract(&self, run: &Run, announced: Vec<Version>) {
        let keys = [rows::active_key(&run.id), rows::list_key(&run.id)];
        let writes: Vec<Write> =
            keys.into_iter().zip(announced).map(|(key, version)| Write::Delete { key, version }).collect();
        if writes.is_empty() {
            return;
        }
        if let Err(error) = self.store.transact(&rows::index_partition(&run.pipeline), writes).await {
            tracing::debug!(run = %run.id, %error, "the entries of a refused run are left to the sweep");
        }
    }
}
