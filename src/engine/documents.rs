//! Documents: what a scope remembers beyond its runs, each a row `doc:<name>` beside them.
//!
//! A run writes them together with its own row, and while it holds the scope's lock no other run does. Callers outside
//! of runs compare and swap. A document belongs to the one or to the others: what a run sets, it sets whatever is there.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ports::{RunStore, StoreError, TransactError, Unreadable, Write};
use super::schema::{self, Row};
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

/// A document's row.
#[derive(Serialize, Deserialize)]
struct Kept {
    value: Value,
    /// Names the last write.
    operation: String,
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
                Err(error @ (StoreError::Refused(_) | StoreError::Unreadable(_))) => return Err(error),
                Err(error) => {
                    trouble = error;
                    continue;
                }
            };
            let value: Option<T> = found.as_ref().map(|found| parse(&found.value.value, scope, name)).transpose()?;
            if found.as_ref().is_some_and(|found| found.value.operation == operation) {
                // The reply to our write was lost.
                return Ok(value.map_or(Updated::Left(None), Updated::Written));
            }
            let Some(next) = decide(value.as_ref()) else { return Ok(Updated::Left(value)) };
            let json = serde_json::to_value(&next)
                .map_err(|error| about(scope, name)(StoreError::Refused(error.to_string())))?;
            let write = write(name, found, Some(&json), &operation)?;
            match self.store.transact(scope.tag().as_str(), write.into_iter().collect()).await {
                Ok(_) => return Ok(Updated::Written(next)),
                Err(TransactError::Conflict(_)) => {
                    trouble = StoreError::Unavailable("too many lost races in a row".into());
                }
                Err(TransactError::Store(error @ StoreError::Unavailable(_))) => trouble = error,
                Err(TransactError::Store(error)) => return Err(about(scope, name)(error)),
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
        writes.extend(write(name, found, value.as_ref(), &next.run.operation)?);
    }
    Ok(writes)
}

fn write(
    name: &str,
    found: Option<Row<Kept>>,
    value: Option<&Value>,
    operation: &str,
) -> Result<Option<Write>, StoreError> {
    let key = key(name)?;
    let (version, beside) = found.map(|found| (found.version, found.beside)).unzip();
    let kept = value.map(|value| Kept { value: value.clone(), operation: operation.to_owned() });
    let record = kept.map(|kept| rows::to_record_beside(&kept, &beside.unwrap_or_default())).transpose()?;
    Ok(match (version, record) {
        (None, Some(record)) => Some(Write::Insert { key, record }),
        (Some(version), Some(record)) => Some(Write::Replace { key, version, record }),
        (Some(version), None) => Some(Write::Delete { key, version }),
        (None, None) => None,
    })
}

async fn read<T: DeserializeOwned>(store: &dyn RunStore, scope: &Scope, name: &str) -> Result<Option<T>, StoreError> {
    let found = load(store, scope, name).await?;
    found.map(|found| parse(&found.value.value, scope, name)).transpose()
}

async fn load(store: &dyn RunStore, scope: &Scope, name: &str) -> Result<Option<Row<Kept>>, StoreError> {
    let (tag, key, about) = (scope.tag(), key(name)?, about(scope, name));
    let Some(stored) = store.get(tag.as_str(), &key).await.map_err(&about)? else { return Ok(None) };
    schema::read_row(tag.as_str(), &key, stored).map(Some).map_err(|row| about(row.into()))
}

/// The value may be what its row says and still be none that is wanted.
fn parse<T: DeserializeOwned>(value: &Value, scope: &Scope, name: &str) -> Result<T, StoreError> {
    let unreadable = |error: serde_json::Error| {
        schema::unreadable(scope.tag().as_str(), &rows::document_key(name), None, error.to_string())
    };
    T::deserialize(value).map_err(|error| about(scope, name)(unreadable(error).into()))
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
        StoreError::Unreadable(row) => {
            StoreError::Unreadable(Unreadable { why: format!("document {name} of {scope}: {}", row.why), ..row })
        }
    }
}
