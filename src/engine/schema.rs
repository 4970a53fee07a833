//! Which rows this version reads: those of its own schema, and older ones once they are raised to it. Anything else is
//! [`Unreadable`]: it is told, it stays as it is, and nothing that was to be written beside it is written.
//!
//! Every row says its schema. What a later version adds to a row without a change of schema is carried along when the
//! row is written here, see [`Row::beside`].

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ports::{Record, Stored, Unreadable, Version};

/// The schema that this version writes, and the newest that it reads.
pub const SCHEMA: u64 = 1;
const FIELD: &str = "schema";

/// A row that is to be written again.
pub struct Row<T> {
    pub value: T,
    pub version: Version,
    /// The row's fields that are none of the value's.
    pub beside: Record,
}

/// The record in the present schema. The place of each step is here: from the schema before to the next, by the record
/// alone, so that what it makes is the same whoever reads it.
fn raise(schema: u64, record: Record) -> Option<Record> {
    match schema {
        SCHEMA => Some(record),
        _ => None,
    }
}

/// The fields of a row, or why they cannot be had.
pub fn open(partition: &str, key: &str, stored: Stored) -> Result<Record, Unreadable> {
    let schema = stored.record.get(FIELD).and_then(Value::as_u64);
    let unreadable = |why: String| unreadable(partition, key, schema, why);
    let known = schema.ok_or_else(|| unreadable("it does not say its schema".into()));
    match (stored.flaw, known) {
        // A later version may have other columns, too.
        (_, Ok(newer)) if newer > SCHEMA => {
            Err(unreadable(format!("it is of schema {newer}, and the newest known here is {SCHEMA}")))
        }
        (Some(flaw), _) => Err(unreadable(flaw)),
        (None, known) => {
            let known = known?;
            raise(known, stored.record).ok_or_else(|| unreadable(format!("schema {known} is not known here")))
        }
    }
}

pub fn read<T: DeserializeOwned>(partition: &str, key: &str, stored: Stored) -> Result<T, Unreadable> {
    let record = open(partition, key, stored)?;
    value(partition, key, &record)
}

pub fn read_row<T: DeserializeOwned + Serialize>(
    partition: &str,
    key: &str,
    stored: Stored,
) -> Result<Row<T>, Unreadable> {
    let version = stored.version.clone();
    let mut beside = open(partition, key, stored)?;
    let value: T = value(partition, key, &beside)?;
    if let Ok(Value::Object(own)) = serde_json::to_value(&value) {
        beside.retain(|field, _| !own.contains_key(field));
    }
    Ok(Row { value, version, beside })
}

fn value<T: DeserializeOwned>(partition: &str, key: &str, record: &Record) -> Result<T, Unreadable> {
    let schema = record.get(FIELD).and_then(Value::as_u64);
    T::deserialize(record).map_err(|error| unreadable(partition, key, schema, error.to_string()))
}

/// A row that holds something else than its key says.
pub fn unreadable(partition: &str, key: &str, schema: Option<u64>, why: String) -> Unreadable {
    let newer = schema.is_some_and(|schema| schema > SCHEMA);
    Unreadable { key: format!("{partition}/{key}"), schema, why, newer }
}

/// Makes the record one of the present schema, with the fields beside it that this version does not know.
pub fn seal(record: &mut Record, beside: &Record) {
    record.insert(FIELD.into(), SCHEMA.into());
    for (field, value) in beside {
        record.entry(field).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
