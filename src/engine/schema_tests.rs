use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Thing {
    is: String,
}

fn stored(record: Value, flaw: Option<&str>) -> Stored {
    let Value::Object(record) = record else { panic!("no record") };
    Stored { version: Version("7".into()), record, flaw: flaw.map(str::to_owned) }
}

fn refused(record: Value, flaw: Option<&str>) -> Unreadable {
    read::<Thing>("p", "k", stored(record, flaw)).expect_err("it cannot be read")
}

#[test]
fn a_row_of_the_present_schema_is_read_and_what_is_beside_it_is_carried_along() {
    let found = stored(json!({"schema": 1, "is": "old", "mood": "good", "more": [1]}), None);
    let row = read_row::<Thing>("p", "k", found).expect("a row");
    let mut record = Record::from_iter([("is".to_owned(), json!("new")), ("more".to_owned(), json!(2))]);
    seal(&mut record, &row.beside);
    assert_eq!((row.value.is.as_str(), row.version.0.as_str()), ("old", "7"));
    assert_eq!(Value::Object(record), json!({"schema": 1, "is": "new", "mood": "good", "more": 2}));
}

#[test]
fn a_row_of_a_later_schema_says_so_whatever_else_is_wrong_with_it() {
    for (record, flaw) in [
        (json!({"schema": 2, "is": "new"}), None),
        (json!({"schema": 2}), None),
        (json!({"schema": 9, "is": 5}), Some("the column 'is' holds nothing")),
    ] {
        let found = refused(record.clone(), flaw);
        assert!(found.newer && found.schema == record["schema"].as_u64(), "{found:?}");
        assert!(found.to_string().contains("p/k") && found.to_string().contains("or a later one"), "{found}");
    }
}

#[test]
fn a_row_that_holds_something_else_says_what_and_that_it_stays() {
    for (record, flaw, says) in [
        (json!({"is": "old"}), None, "does not say its schema"),
        (json!({"schema": "1", "is": "old"}), None, "does not say its schema"),
        (json!({"schema": 0, "is": "old"}), None, "schema 0 is not known"),
        (json!({"schema": 1}), None, "is"),
        (json!({"schema": 1, "is": 5}), None, "string"),
        (json!({}), Some("no JSON object"), "no JSON object"),
        (json!({"schema": 1, "is": "old"}), Some("the column 'x'"), "the column 'x'"),
    ] {
        let found = refused(record, flaw);
        assert!(!found.newer && found.why.contains(says), "{found:?}");
        assert!(found.to_string().contains("left as it is"), "{found}");
    }
}
