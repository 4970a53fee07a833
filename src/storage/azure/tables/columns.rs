//! A record as typed columns and back: what comes out equals what went in.
//!
//! | value | column |
//! |---|---|
//! | text, boolean, number | `<field>`, of its own type |
//! | null, array, object, and what a column cannot hold exactly | `<field>__json`, as JSON text |
//! | a text or JSON text that outgrows a column | `<field>__blob`, `text:<blob>` or `json:<blob>` |

use serde_json::{Map, Value};

use super::super::overflow::Overflow;
use crate::engine::ports::Record;
use crate::storage::limits;

const TYPE: &str = "@odata.type";
const JSON: &str = limits::RESERVED[0];
const BLOB: &str = limits::RESERVED[1];

pub(in super::super) struct Encoded {
    pub(in super::super) columns: Map<String, Value>,
    /// Values to be stored before the row is: the blob's name and its text.
    pub(in super::super) put_aside: Vec<(String, String)>,
}

#[derive(Debug)]
pub(in super::super) struct Decoded {
    pub(in super::super) record: Record,
    pub(in super::super) put_aside: Vec<PutAside>,
    /// The first column that holds nothing that this program wrote.
    pub(in super::super) flaw: Option<String>,
}

/// A field whose value is in a blob.
#[derive(Debug)]
pub(in super::super) struct PutAside {
    pub(in super::super) field: String,
    pub(in super::super) form: Form,
    pub(in super::super) blob: String,
}

/// How a value became a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Form {
    Text,
    Json,
}

pub(in super::super) fn encode(record: Record) -> Encoded {
    let mut encoded = Encoded { columns: Map::new(), put_aside: Vec::new() };
    for (field, value) in record {
        match value {
            Value::Bool(_) => encoded.set(field, None, value),
            Value::String(text) if is_plain(&text) => encoded.set_text(&field, Form::Text, text),
            Value::Number(number) => match (number.as_i64(), number.is_f64()) {
                (Some(integer), _) => encoded.set(field, Some("Edm.Int64"), integer.to_string().into()),
                (None, true) => encoded.set(field, Some("Edm.Double"), Value::Number(number)),
                // Beyond 63 bits
                (None, false) => encoded.set_text(&field, Form::Json, number.to_string()),
            },
            other => encoded.set_text(&field, Form::Json, other.to_string()),
        }
    }
    encoded
}

impl Encoded {
    fn set(&mut self, column: String, kind: Option<&str>, value: Value) {
        if let Some(kind) = kind {
            self.columns.insert(format!("{column}{TYPE}"), kind.into());
        }
        self.columns.insert(column, value);
    }

    fn set_text(&mut self, field: &str, form: Form, text: String) {
        if text.len() > limits::MAX_INLINE {
            let blob = Overflow::name(&text);
            self.set(format!("{field}{BLOB}"), Some("Edm.String"), format!("{}:{blob}", form.name()).into());
            self.put_aside.push((blob, text));
        } else {
            let column = if form == Form::Json { format!("{field}{JSON}") } else { field.to_owned() };
            // Stated, because a service may take a text that looks like a time or an id for one.
            self.set(column, Some("Edm.String"), text.into());
        }
    }
}

/// Columns hold no control characters but these, and none of the code points that are no characters.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| (c.is_control() && !matches!(c, '\t' | '\n')) || limits::is_no_character(c))
}

/// What of a column cannot be read is left out, and told: the row as a whole is its reader's to judge.
pub(in super::super) fn decode(columns: Map<String, Value>) -> Decoded {
    let mut decoded = Decoded { record: Record::new(), put_aside: Vec::new(), flaw: None };
    for (column, value) in &columns {
        if column.contains('@') || column.starts_with("odata.") {
            continue;
        }
        let kind = columns.get(&format!("{column}{TYPE}")).and_then(Value::as_str);
        if let Err(flaw) = decoded.take(column, kind, value) {
            decoded.flaw.get_or_insert(flaw);
        }
    }
    decoded
}

impl Decoded {
    fn take(&mut self, column: &str, kind: Option<&str>, value: &Value) -> Result<(), String> {
        if let Some(field) = column.strip_suffix(BLOB) {
            self.put_aside.push(PutAside::read(field, value)?);
        } else if let Some(field) = column.strip_suffix(JSON) {
            let text = value.as_str().ok_or_else(|| foreign(column))?;
            let value = revive(Form::Json, text).map_err(|why| format!("{}: {why}", foreign(column)))?;
            self.record.insert(field.to_owned(), value);
        } else {
            self.record.insert(column.to_owned(), scalar(kind, value).ok_or_else(|| foreign(column))?);
        }
        Ok(())
    }
}

fn scalar(kind: Option<&str>, value: &Value) -> Option<Value> {
    match (kind, value) {
        (Some("Edm.Int64"), Value::String(digits)) => digits.parse::<i64>().ok().map(Value::from),
        // Whole numbers are only written as Int64, so that a bare number is a double, `1` included.
        (_, Value::Number(number)) => number.as_f64().map(Value::from),
        (_, Value::Bool(_) | Value::String(_)) => Some(value.clone()),
        _ => None,
    }
}

/// The value that became this text.
pub(in super::super) fn revive(form: Form, text: &str) -> Result<Value, String> {
    match form {
        Form::Text => Ok(Value::from(text)),
        Form::Json => serde_json::from_str(text).map_err(|error| format!("no JSON: {error}")),
    }
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl PutAside {
    fn read(field: &str, value: &Value) -> Result<Self, String> {
        let reference = value.as_str().and_then(|text| text.split_once(':'));
        let (form, blob) = match reference {
            Some(("text", blob)) => (Form::Text, blob),
            Some(("json", blob)) => (Form::Json, blob),
            _ => return Err(foreign(field)),
        };
        Ok(Self { field: field.to_owned(), form, blob: blob.to_owned() })
    }
}

fn foreign(column: &str) -> String {
    format!("the column '{}' holds nothing that this program wrote", column.escape_debug())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: Value) -> Record {
        Record::from_iter([("field".to_owned(), value)])
    }

    #[test]
    fn every_kind_of_value_comes_back_as_it_went_in() {
        for value in [
            json!(null),
            json!(true),
            json!(0),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1.0),
            json!(-2.5e-300),
            json!(""),
            json!("2026-11-21T02:42:15Z"),
            json!("\u{0}\r\u{7f}\u{ffff}"),
            json!([]),
            json!({}),
            json!({"a": [null, {"b": 1.0}]}),
        ] {
            let encoded = encode(record(value.clone()));
            assert!(encoded.put_aside.is_empty());
            assert_eq!(decode(encoded.columns).record, record(value));
        }
    }

    #[test]
    fn a_value_beyond_a_column_is_put_aside_and_refers_to_its_content() {
        let long = "ü".repeat(limits::MAX_INLINE);
        for (value, form) in [(json!(long), Form::Text), (json!([long]), Form::Json)] {
            let encoded = encode(record(value.clone()));
            let (name, text) = &encoded.put_aside[0];
            let decoded = decode(encoded.columns);
            assert_eq!(decoded.put_aside[0].form, form);
            assert_eq!(&decoded.put_aside[0].blob, name);
            assert_eq!(revive(form, text).unwrap(), value);
        }
    }

    #[test]
    fn a_column_that_cannot_be_read_is_told_and_the_others_are_read_all_the_same() {
        for (column, value) in [
            ("field__json", json!("{")),
            ("field__json", json!(5)),
            ("field__blob", json!("elsewhere:0f")),
            ("field__blob", json!(true)),
            ("field", json!([1])),
        ] {
            let columns = Map::from_iter([(column.to_owned(), value), ("other".to_owned(), json!("text"))]);
            let decoded = decode(columns);
            assert!(decoded.flaw.is_some_and(|flaw| flaw.contains("field")), "{column}");
            assert_eq!(decoded.record, Record::from_iter([("other".to_owned(), json!("text"))]), "{column}");
        }
    }

    #[test]
    fn only_types_of_columns_are_used_that_a_reader_can_tell_apart() {
        let columns = encode(Record::from_iter([("n".to_owned(), json!(5)), ("s".to_owned(), json!("5"))])).columns;
        assert_eq!(columns["n"], json!("5"));
        assert_eq!(columns["n@odata.type"], json!("Edm.Int64"));
        assert_eq!(columns["s@odata.type"], json!("Edm.String"));
    }
}
