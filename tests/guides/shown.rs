//! What a page shows of an answer is in the answer.

use serde_json::{Deserializer, Value};

/// Any of the answers that a block printed has what is shown: every field of it with that value, where `…` stands for any
/// text, and an entry for each entry of a list.
pub fn hold(page: &str, line: usize, shown: &Value, printed: &str) {
    let answers: Vec<Value> = Deserializer::from_str(printed).into_iter().map_while(Result::ok).collect();
    let whys: Vec<String> = answers.iter().filter_map(|answer| missing(shown, answer, "")).collect();
    assert!(!answers.is_empty(), "{page}: the block of line {line} answered no JSON: {printed}");
    assert!(whys.len() < answers.len(), "{page}: the block of line {line} is answered otherwise: {whys:#?}\n{printed}");
}

/// The first thing that is shown and not there.
fn missing(shown: &Value, answer: &Value, at: &str) -> Option<String> {
    match (shown, answer) {
        (Value::Object(fields), Value::Object(_)) => fields.iter().find_map(|(name, shown)| match answer.get(name) {
            Some(answer) => missing(shown, answer, &format!("{at}.{name}")),
            None => Some(format!("{at} has no {name}")),
        }),
        (Value::Array(entries), Value::Array(given)) => entries.iter().find_map(|shown| {
            let whys: Vec<String> = given.iter().filter_map(|answer| missing(shown, answer, at)).collect();
            (whys.len() == given.len()).then(|| format!("{at} has no entry {shown}: {}", whys.join("; ")))
        }),
        (Value::String(text), Value::String(_)) if text == "…" => None,
        _ => (shown != answer).then(|| format!("{at} is {answer}, not {shown}")),
    }
}

#[test]
fn an_answer_is_held_to_every_field_that_is_shown() {
    let answer = serde_json::json!({"a": {"b": 1, "c": [{"d": "x"}, {"d": "y", "e": null}]}});
    for shown in [
        r#"{}"#,
        r#"{"a": {"b": 1}}"#,
        r#"{"a": {"c": []}}"#,
        r#"{"a": {"c": [{"d": "y"}]}}"#,
        r#"{"a": {"c": [{"d": "…"}]}}"#,
    ] {
        assert_eq!(missing(&serde_json::from_str(shown).unwrap(), &answer, ""), None, "{shown}");
    }
    for shown in [
        r#"{"b": 1}"#,
        r#"{"a": {"b": "…"}}"#,
        r#"{"a": {"c": [{"d": "z"}]}}"#,
        r#"{"a": []}"#,
        r#"{"a": {"c": [{"e": "…"}]}}"#,
    ] {
        assert!(missing(&serde_json::from_str(shown).unwrap(), &answer, "").is_some(), "{shown}");
    }
}
