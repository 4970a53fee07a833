//! Idempotency keys: which run a key started, and for which request.

use super::Engine;
use super::open::Opening;
use super::pipeline::Pipeline;
use super::ports::{StoreError, Version, Write};
use super::rows;
use super::schema;
use super::start::{NOT_QUEUED, StartError, Started};
use crate::model::{Progress, Run, RunId, Scope, Wake};

/// The key by which a caller marks two requests as one, and a digest of the request.
pub(super) struct Key {
    pub key: String,
    pub payload: String,
}

/// What an idempotency key stands for.
pub(super) enum Keyed {
    /// Nothing, or there is no key.
    Unused,
    Started(Box<Run>),
    /// A run that could not be queued: whoever was told to try again may do so under the same key.
    NeverBegan(Version),
}

impl Engine {
    pub(super) async fn find_by_key(&self, scope: &Scope, key: Option<&Key>) -> Result<Keyed, StartError> {
        let Some(Key { key, payload }) = key else { return Ok(Keyed::Unused) };
        let partition = scope.tag();
        let Some(stored) = self.store.get(partition.as_str(), &rows::idempotency_key(key)).await? else {
            return Ok(Keyed::Unused);
        };
        let version = stored.version.clone();
        let known: rows::KeyRow = schema::read(partition.as_str(), &rows::idempotency_key(key), stored)?;
        let id = known.run;
        if known.payload != *payload {
            return Err(StartError::KeyReused(id));
        }
        let run = self.run(&id).await?;
        let run = run.ok_or_else(|| StoreError::Refused(format!("run {id} is named by a key, but is gone")))?;
        Ok(if never_began(&run) { Keyed::NeverBegan(version) } else { Keyed::Started(Box::new(run)) })
    }

    /// The same request again: the same run, and its first ticket once more in case that one was lost.
    pub(super) async fn replay(&self, pipeline: &Pipeline, run: Run) -> Result<Started, StartError> {
        if matches!(run.progress, Progress::Ready { wake: Wake::Started, .. }) {
            self.send(pipeline.spec, &run.ticket(), run.created_at).await?;
        }
        Ok(Started { run, replayed: true })
    }
}

/// Whether the run was ended before its first ticket could be sent.
pub(super) fn never_began(run: &Run) -> bool {
    run.failure.as_ref().is_some_and(|failure| failure.code == NOT_QUEUED)
}

pub(super) fn key_write(opening: &Opening<'_>, run: &RunId, earlier: &Keyed) -> Result<Option<Write>, StoreError> {
    let Some(Key { key, payload }) = &opening.key else { return Ok(None) };
    let record = rows::to_record(&serde_json::json!({"run": run, "payload": payload}))?;
    let key = rows::idempotency_key(key);
    Ok(Some(match earlier {
        Keyed::NeverBegan(version) => Write::Replace { key, version: version.clone(), record },
        Keyed::Unused | Keyed::Started(_) => Write::Insert { key, record },
    }))
}
