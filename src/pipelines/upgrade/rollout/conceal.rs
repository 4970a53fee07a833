//! Keeps secrets out of a stored template. What may be one is replaced by a mark; going back takes the value from
//! where it still is: the app, or the revision that the template was of.

use serde_json::{Map, Value, json};

use crate::model::redact;

const MARK: &str = "windlassConcealed";

/// The template with a mark in place of every text that looks like a secret.
pub fn concealed(template: &Value) -> Value {
    match template {
        Value::String(text) if redact(text) != *text => mark(),
        Value::Array(items) => Value::Array(items.iter().map(concealed).collect()),
        Value::Object(fields) if is_entry(fields) => {
            let kept = fields.iter().map(|(name, value)| {
                let value = if name == "value" { mark() } else { concealed(value) };
                (name.clone(), value)
            });
            Value::Object(kept.collect())
        }
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), concealed(value))).collect())
        }
        plain => plain.clone(),
    }
}

/// `{"name": "DB_PASSWORD", "value": "…"}`, as environments and headers have them. A name tells too little of whether its
/// value is a secret, and the app has the value all the while.
fn is_entry(fields: &Map<String, Value>) -> bool {
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    text("name").is_some() && text("value").is_some_and(|value| !value.is_empty())
}

fn mark() -> Value {
    json!({MARK: true})
}

fn is_mark(value: &Value) -> bool {
    value.get(MARK).is_some()
}

/// The template with every mark replaced by what stands in the same place of the first of `sources` that has it.
///
/// # Errors
/// The place of a mark for which none has a value, by the names of the items on the way there.
pub fn revealed(template: &Value, sources: &[&Value]) -> Result<Value, String> {
    reveal("template", template, sources)
}

fn reveal(path: &str, value: &Value, sources: &[&Value]) -> Result<Value, String> {
    if is_mark(value) {
        let found = sources.iter().find(|source| !source.is_null() && !is_mark(source));
        return found.map(|source| (*source).clone()).ok_or_else(|| path.to_owned());
    }
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let sources: Vec<&Value> = sources.iter().filter_map(|source| source.get(name)).collect();
                reveal(&format!("{path}.{name}"), value, &sources).map(|value| (name.clone(), value))
            })
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let sources: Vec<&Value> =
                    sources.iter().filter_map(|source| same_item(source, index, items.len(), item)).collect();
                let name = item.get("name").and_then(Value::as_str);
                let path = name.map_or_else(|| format!("{path}.{index}"), |name| format!("{path}.{name}"));
                reveal(&path, item, &sources)
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        plain => Ok(plain.clone()),
    }
}

/// The item of that name; or at that place if items have none, in a list as long.
fn same_item<'a>(list: &'a Value, index: usize, length: usize, item: &Value) -> Option<&'a Value> {
    let list = list.as_array()?;
    match item.get("name") {
        Some(name) => list.iter().find(|other| other.get("name") == Some(name)),
        None => list.get(index).filter(|_| list.len() == length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANTED: &str = "pl4nted-s3cret";

    fn template() -> Value {
        json!({"containers": [
            {"name": "proxy", "image": "x"},
            {"name": "api", "args": ["--quiet", format!("--password={PLANTED}")], "env": [
                {"name": "LEVEL", "value": "info"},
                {"name": "DB_PASSWORD", "value": PLANTED},
                {"name": "KEY", "secretRef": "key"},
                {"name": "URL", "value": format!("https://user:{PLANTED}@host/")},
            ]},
        ]})
    }

    #[test]
    fn no_secret_is_in_what_is_kept_and_all_else_is() {
        let kept = concealed(&template());
        assert!(!kept.to_string().contains(PLANTED), "{kept}");
        let env = &kept["containers"][1]["env"];
        assert_eq!(env[0]["name"], "LEVEL");
        assert_eq!(env[2], json!({"name": "KEY", "secretRef": "key"}));
    }

    #[test]
    fn what_was_concealed_is_taken_from_where_it_still_is() {
        let mut moved = template();
        moved["containers"].as_array_mut().unwrap().reverse();
        assert_eq!(revealed(&concealed(&template()), &[&json!({}), &moved]), Ok(template()));
    }

    #[test]
    fn what_is_nowhere_any_more_is_named() {
        let mut without = template();
        without["containers"][1]["env"].as_array_mut().unwrap().remove(1);
        assert_eq!(
            revealed(&concealed(&template()), &[&without]),
            Err("template.containers.api.env.DB_PASSWORD.value".to_owned())
        );
    }
}
