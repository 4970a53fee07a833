//! What Azure Storage would refuse, refused before it is sent, by both stores in the same words.
//!
//! Source: "Understanding the Table service data model", "Performing entity group transactions", "Put Message" and
//! "Append Block" of the Azure Storage REST reference.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use serde_json::Value;

use crate::engine::ports::{Record, StoreError, Write};

/// Writes in one transaction.
const MAX_WRITES: usize = 100;
/// Bytes of one row, by the service's own formula.
const MAX_ROW: usize = 1 << 20;
/// Bytes of all rows in one transaction.
const MAX_TRANSACTION: usize = 4 << 20;
/// Fields of a row: the service's 252 properties.
const MAX_FIELDS: usize = 252;
/// UTF-16 units of a key.
const MAX_KEY: usize = 1_024;
/// Bytes of UTF-8 up to which a value stays in its row. The service's limit is 32 Ki UTF-16 units, and a text never has
/// more of those than bytes.
pub(super) const MAX_INLINE: usize = 32_000;
/// Bytes of one queue message.
const MAX_MESSAGE: usize = 64 << 10;
/// Bytes of one append.
const MAX_BLOCK: usize = 4 << 20;
/// A message may neither hide nor live longer.
pub(super) const MESSAGE_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Ends of field names by which `azure` tells encoded fields.
pub(super) const RESERVED: [&str; 2] = ["__json", "__blob"];

pub(super) fn refused(why: impl Into<String>) -> StoreError {
    StoreError::Refused(why.into())
}

pub(super) fn check_key(what: &str, key: &str) -> Result<(), StoreError> {
    let bad = |c: char| matches!(c, '/' | '\\' | '#' | '?') || c.is_control();
    if let Some(c) = key.chars().find(|c| bad(*c)) {
        return Err(refused(format!("the {what} '{}' holds the character {c:?}", key.escape_debug())));
    }
    let units = key.encode_utf16().count();
    if units == 0 || units > MAX_KEY {
        return Err(refused(format!("a {what} has 1 to {MAX_KEY} characters, this one has {units}")));
    }
    Ok(())
}

pub(super) fn check_transaction(partition: &str, writes: &[Write]) -> Result<(), StoreError> {
    check_key("partition", partition)?;
    if writes.len() > MAX_WRITES {
        return Err(refused(format!("a transaction has at most {MAX_WRITES} writes, this one has {}", writes.len())));
    }
    let mut seen = HashSet::with_capacity(writes.len());
    let mut total = 0;
    for write in writes {
        check_key("row key", write.key())?;
        if !seen.insert(write.key()) {
            return Err(refused(format!("the row '{}' is written twice in one transaction", write.key())));
        }
        if let Write::Insert { key, record } | Write::Replace { key, record, .. } = write {
            total += check_record(partition, key, record)?;
        }
    }
    if total > MAX_TRANSACTION {
        return Err(refused(format!("a transaction has at most {MAX_TRANSACTION} bytes, this one has {total}")));
    }
    Ok(())
}

/// The size of the row in bytes.
fn check_record(partition: &str, key: &str, record: &Record) -> Result<usize, StoreError> {
    if record.len() > MAX_FIELDS {
        return Err(refused(format!("the row '{key}' has {} fields; {MAX_FIELDS} are possible", record.len())));
    }
    let mut size = 4 + 2 * (partition.len() + key.len());
    for (name, value) in record {
        check_field_name(key, name)?;
        size += 8 + 2 * name.len() + value_size(value);
    }
    if size > MAX_ROW {
        return Err(refused(format!("the row '{key}' has {size} bytes; {MAX_ROW} are possible")));
    }
    Ok(size)
}

fn check_field_name(key: &str, name: &str) -> Result<(), StoreError> {
    let mut chars = name.chars();
    let shaped = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 200;
    let taken =
        matches!(name, "PartitionKey" | "RowKey" | "Timestamp") || RESERVED.iter().any(|end| name.ends_with(end));
    if !shaped || taken {
        return Err(refused(format!("the row '{key}' cannot have a field named '{}'", name.escape_debug())));
    }
    Ok(())
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => text_size(text.len()),
        Value::Null | Value::Array(_) | Value::Object(_) => text_size(json_length(value)),
    }
}

fn text_size(bytes: usize) -> usize {
    /// The reference to a blob that holds the value instead.
    const REFERENCE: usize = 80;
    4 + 2 * if bytes > MAX_INLINE { REFERENCE } else { bytes }
}

/// Bytes of a value's JSON text, without building it.
fn json_length(value: &Value) -> usize {
    struct Counter(usize);

    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    // Neither the counter nor a JSON value can fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

pub(super) fn check_message(text: &str, delay: Duration) -> Result<(), StoreError> {
    if text.len() > MAX_MESSAGE {
        return Err(refused(format!("a message has at most {MAX_MESSAGE} bytes, this one has {}", text.len())));
    }
    // Messages travel as XML, which cannot carry these at all and does not keep a carriage return.
    if let Some(c) = text.chars().find(|c| (c.is_control() && !matches!(c, '\t' | '\n')) || is_no_character(*c)) {
        return Err(refused(format!("a message cannot hold the character {c:?}")));
    }
    if delay >= MESSAGE_LIFE {
        return Err(refused(format!(
            "a message cannot wait {} s: it lives {} s",
            delay.as_secs(),
            MESSAGE_LIFE.as_secs()
        )));
    }
    Ok(())
}

/// The two code points that Unicode reserves to be no character, and XML 1.0 excludes.
pub(super) fn is_no_character(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// The container and the blob name of a segment.
pub(super) fn check_segment(segment: &str) -> Result<(&str, &str), StoreError> {
    match segment.split_once('/') {
        Some((container, name)) if is_container_name(container) && is_blob_name(name) => Ok((container, name)),
        _ => Err(refused(format!("a segment is named <container>/<path>, not '{}'", segment.escape_debug()))),
    }
}

/// Three to 63 of a-z, 0-9 and single dashes between them.
fn is_container_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// Parts of a path that no URL parser folds away.
fn is_blob_name(name: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..") && !part.ends_with('.');
    name.len() <= MAX_KEY && name.split('/').all(part) && !name.chars().any(|c| c.is_control() || c == '\\')
}

pub(super) fn check_block(bytes: &[u8]) -> Result<(), StoreError> {
    match bytes.len() {
        0 => Err(refused("an append needs at least one byte")),
        1..=MAX_BLOCK => Ok(()),
        length => Err(refused(format!("an append has at most {MAX_BLOCK} bytes, this one has {length}"))),
    }
}

/// Queue names have the rules of container names.
pub(super) fn check_queue(name: &str) -> Result<(), StoreError> {
    if is_container_name(name) {
        Ok(())
    } else {
        Err(refused(format!("'{}' cannot name a queue", name.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_service_would_refuse_are_refused_here() {
        for name in ["ab", "Upper", "a--b", "-ab", "ab-", "a_b", "ünicode", "x/y"] {
            assert!(check_queue(name).is_err(), "{name}");
        }
        assert_eq!(check_queue("probe-preparing"), Ok(()));
        for segment in ["logs", "logs/", "logs//a", "logs/../a", "logs/./a", "LOGS/a", "logs/a\\b"] {
            assert!(check_segment(segment).is_err(), "{segment}");
        }
        assert_eq!(check_segment("probe-logs/run/a b.log"), Ok(("probe-logs", "run/a b.log")));
    }

    #[test]
    fn a_value_that_moves_out_of_its_row_does_not_count_against_it() {
        let record = |text: String| Record::from_iter([("text".to_owned(), Value::String(text))]);
        assert!(check_record("p", "k", &record("x".repeat(8 << 20))).is_ok_and(|size| size < 1_000));
        let many = (0..20).map(|i| (format!("f{i}"), Value::String("x".repeat(MAX_INLINE)))).collect();
        assert!(matches!(check_record("p", "k", &many), Err(StoreError::Refused(_))));
    }
}
