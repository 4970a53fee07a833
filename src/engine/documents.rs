//! Documents: what a scope remembers beyond its runs, each a row `doc:<name>` beside them.
//!
//! A run writes them together with its own row, and while it holds the scope's lock no other run does. Callers outside
//! of runs compare and swap. A document belongs to the one or to the others: what a run sets, it sets whatever is there.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ports::{RunStore, StoreError, Stored, TransactError, Version, Write};
use super::transition::{Changes, Transition};
use super::{Engine, rows};
use crate::model::Scope;

/// What became of an update.
#[derive(Clone, PartialEq, Debug)]
pub enum Updated<T> {
    /// This call wrote it.
    Written(T),
    /// It was decided to leave what is there.
    Left(Option<T>),
}

impl Engine {
    /// A document of the scope, or `None` if there is none of this name.
    pub async fn document<T: DeserializeOwned>(&self, scope: &Scope, name: &str) -> Result<Option<T>, StoreError> {
        read(self.store.as_ref(), scope, name).await
    }

    /// Writes what `decide` makes of the document, unless it answers `None`. Of callers that race, one writes and the
    /// others decide again on what it wrote.
    pub async fn update_document<T: Serialize + DeserializeOwned>(
        &self,
        scope: &Scope,
        name: &str,
        mut decide: impl FnMut(Option<&T>) -> Option<T>,
    ) -> Result<Updated<T>, StoreError> {
        const TRIES: u32 = 6;
        let operation = self.unique();
        let mut trouble = StoreError::Unavailable(String::new());
        for _ in 0..TRIES {
            let found = match load(self.store.as_ref(), scope, name).await {
                Ok(found) => found,
                Err(error @ StoreError::Refused(_)) => return Err(error),
                Err(error) => {
                    trouble = error;
                    continue;
                }
            };
            let value: Option<T> = found.as_ref().map(|stored| value(stored, scope, name)).transpose()?;
            let version = match found {
                Some(stored) if operation_of(&stored) == Some(operation.as_str()) => {
                    // The reply to our write was lost.
                    return Ok(value.map_or(Updated::Left(None), Updated::Written));
                }
                Some(stored) => Some(stored.version),
                None => None,
            };
            let Some(next) = decide(value.as_ref()) else { return Ok(Updated::Left(value)) };
            let json = serde_json::to_value(&next)
                .map_err(|error| about(scope, name)(StoreError::Refused(error.to_string())))?;
            let write = write(name, version, Some(&json), &operation)?;
            match self.store.transact(scope.tag().as_str(), write.into_iter().collect()).await {
                Ok(_) => return Ok(Updated::Written(next)),
                Err(TransactError::Conflict(_)) => {
                    trouble = StoreError::Unavailable("too many lost races in a row".into());
                }
                Err(TransactError::Store(error @ StoreError::Refused(_))) => return Err(about(scope, name)(error)),
                Err(TransactError::Store(error)) => trouble = error,
            }
        }
        Err(about(scope, name)(trouble))
    }
}

/// The documents as one delivery sees them: what is stored, and its own changes that wait for the next step.
pub struct Documents {
    store: Arc<dyn RunStore>,
    scope: Scope,
    pub changes: Changes,
}

impl Documents {
    pub fn new(store: Arc<dyn RunStore>, scope: Scope) -> Self {
        Self { store, scope, changes: Changes::new() }
    }

    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        match self.changes.get(name) {
            Some(change) => change.as_ref().map(|value| parse(value, &self.scope, name)).transpose(),
            None => read(self.store.as_ref(), &self.scope, name).await,
        }
    }

    /// `None` removes the document.
    pub fn set(&mut self, name: &str, value: Option<Value>) -> Result<(), StoreError> {
        key(name)?;
        self.changes.insert(name.to_owned(), value);
        Ok(())
    }
}

/// What has to be written beside the run.
pub async fn writes(store: &dyn RunStore, next: &Transition) -> Result<Vec<Write>, StoreError> {
    let mut writes = Vec::with_capacity(next.documents.len());
    for (name, value) in &next.documents {
        let found = load(store, &next.run.scope, name).await?;
        writes.extend(write(name, found.map(|stored| stored.version), value.as_ref(), &next.run.operation)?);
    }
    Ok(writes)
}

fn write(
    name: &str,
    version: Option<Version>,
    value: Option<&Value>,
    operation: &str,
) -> Result<Option<Write>, StoreError> {
    let key = key(name)?;
    let record = value.map(|value| rows::to_record(&json!({"value": value, "operation": operation}))).transpose()?;
    Ok(match (version, record) {
        (None, Some(record)) => Some(Write::Insert { key, record }),
        (Some(version), Some(record)) => Some(Write::Replace { key, version, record }),
        (Some(version), None) => Some(Write::Delete { key, version }),
        (None, None) => None,
    })
}

async fn read<T: DeserializeOwned>(store: &dyn RunStore, scope: &Scope, name: &str) -> Result<Option<T>, StoreError> {
    let found = load(store, scope, name).await?;
    found.map(|stored| value(&stored, scope, name)).transpose()
}

async fn load(store: &dyn RunStore, scope: &Scope, name: &str) -> Result<Option<Stored>, StoreError> {
    store.get(scope.tag().as_str(), &key(name)?).await.map_err(about(scope, name))
}

fn value<T: DeserializeOwned>(stored: &Stored, scope: &Scope, name: &str) -> Result<T, StoreError> {
    match stored.record.get("value") {
        Some(value) => parse(value, scope, name),
        None => Err(about(scope, name)(StoreError::Refused("its row has no value".into()))),
    }
}

fn parse<T: DeserializeOwned>(value: &Value, scope: &Scope, name: &str) -> Result<T, StoreError> {
    T::deserialize(value).map_err(|error| about(scope, name)(StoreError::Refused(error.to_string())))
}

fn operation_of(stored: &Stored) -> Option<&str> {
    stored.record.get("operation").and_then(Value::as_str)
}

fn key(name: &str) -> Result<String, StoreError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
        let name = name.escape_debug();
        return Err(StoreError::Refused(format!("'{name}' is no name of a document: 1 to 64 of a-z, 0-9 and -")));
    }
    Ok(rows::document_key(name))
}

/// Says which document it is.
fn about(scope: &Scope, name: &str) -> impl Fn(StoreError) -> StoreError {
    move |error| match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("document {name} of {scope}: {why}")),
        StoreError::Refused(why) => StoreError::Refused(format!("document {name} of {scope}: {why}")),
    }
}
