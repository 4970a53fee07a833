//! How a run, its events, its lock and its index entries lie in the store.
//!
//! | partition | key | what |
//! |---|---|---|
//! | scope tag | `run:<name>` | the run |
//! | scope tag | `event:<name>:<number>` | what happened to it |
//! | scope tag | `lock` | the run that owns the scope |
//! | scope tag | `chain` | where the chain over all runs of the scope ends |
//! | scope tag | `key:<digest>` | the run that was started with an idempotency key |
//! | scope tag | `doc:<name>` | a document of the scope |
//! | `index:<pipeline>` | `active:<id>` | a run that the sweep has to look after |
//! | `index:<pipeline>` | `list:<time left>:<id>` | every run, the newest first |

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ports::{Record, StoreError, Stored};
use super::schema;
use crate::model::{Event, Run, RunId, Timestamp};

pub const LOCK: &str = "lock";
pub const CHAIN: &str = "chain";
/// Between these lie all runs of a scope, the newest first.
pub const RUN_FROM: &str = "run:";
pub const RUN_TO: &str = "run;";
pub const ACTIVE_FROM: &str = "active:";
pub const ACTIVE_TO: &str = "active;";
pub const LIST_FROM: &str = "list:";
pub const LIST_TO: &str = "list;";
const DOCUMENT: &str = "doc:";

pub fn run_key(id: &RunId) -> String {
    format!("{RUN_FROM}{}", id.name())
}

pub fn event_key(id: &RunId, number: u64) -> String {
    format!("event:{}:{number:08}", id.name())
}

/// The keys between which all events of a run lie.
pub fn event_range(id: &RunId) -> (String, String) {
    (format!("event:{}:", id.name()), format!("event:{};", id.name()))
}

/// A caller's key may hold anything; its digest may stand in a row key.
pub fn idempotency_key(key: &str) -> String {
    format!("key:{}", hex::encode(Sha256::digest(key.as_bytes())))
}

pub fn document_key(name: &str) -> String {
    format!("{DOCUMENT}{name}")
}

/// Whether `<partition>/<key>` names a document.
pub fn is_document(place: &str) -> bool {
    place.split_once('/').is_some_and(|(_, key)| key.starts_with(DOCUMENT))
}

pub fn index_partition(pipeline: &str) -> String {
    format!("index:{pipeline}")
}

pub fn active_key(id: &RunId) -> String {
    format!("{ACTIVE_FROM}{id}")
}

pub fn list_key(id: &RunId) -> String {
    format!("{LIST_FROM}{}:{}", id.name(), id.tag())
}

/// The run that a key of the list stands for.
pub fn listed(key: &str) -> Result<RunId, StoreError> {
    let named = key.strip_prefix(LIST_FROM).and_then(|rest| rest.split_once(':'));
    named
        .and_then(|(name, tag)| format!("{tag}-{name}").parse().ok())
        .ok_or_else(|| StoreError::Refused(format!("index entry {key} names no run")))
}

/// A row of its own.
pub fn to_record<T: Serialize>(value: &T) -> Result<Record, StoreError> {
    to_record_beside(value, &Record::new())
}

/// A row that takes the place of one which has these fields beside what is known of it.
pub fn to_record_beside<T: Serialize>(value: &T, beside: &Record) -> Result<Record, StoreError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(mut record)) => {
            schema::seal(&mut record, beside);
            Ok(record)
        }
        Ok(_) => Err(StoreError::Refused("only a structure can be a row".into())),
        Err(error) => Err(StoreError::Refused(error.to_string())),
    }
}

/// The run's row, with what an operator looks for as columns of its own.
pub fn run_record(run: &Run, beside: &Record) -> Result<Record, StoreError> {
    let mut record = to_record_beside(run, beside)?;
    record.insert("status".into(), serde_json::to_value(run.status()).unwrap_or_default());
    record.insert("next_wake_at".into(), serde_json::to_value(run.next_wake_at()).unwrap_or_default());
    Ok(record)
}

pub fn event_record(event: &Event) -> Result<Record, StoreError> {
    to_record(event)
}

/// The row that keeps a scope for one run.
pub fn lock_record(run: &Run) -> Result<Record, StoreError> {
    to_record(&serde_json::json!({"owner": run.id, "scope": run.scope}))
}

/// Whose the lock is, as far as the row says it at all: to be told, and not to be written by.
pub fn lock_owner(stored: &Stored) -> Option<RunId> {
    stored.record.get("owner")?.as_str()?.parse().ok()
}

/// The lock, as one that may be removed.
#[derive(Deserialize)]
pub struct Lock {
    pub owner: RunId,
}

/// What an entry of the index says.
#[derive(Deserialize)]
pub struct Entry {
    pub run: RunId,
    pub created_at: Timestamp,
}

/// What is stored for an idempotency key.
#[derive(Deserialize)]
pub struct KeyRow {
    pub run: RunId,
    /// A digest of the request.
    pub payload: String,
}
