//! What an expression comes to, as far as it can be told before a deployment.
//!
//! Only the functions that the infrastructure uses where its lists and settings are made. Whatever else is asked for is an
//! error, so that nobody takes a guess for a result.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::bicep::{Expression, File, Part};

/// A file with what it is given: parameters, and what resources are known to be.
pub struct Scope<'a> {
    pub root: &'a Path,
    pub file: &'a File,
    pub given: BTreeMap<String, Value>,
}

type Bound<'a> = Vec<(&'a str, Value)>;

impl Scope<'_> {
    /// # Errors
    /// What cannot be told.
    pub fn value(&self, expression: &Expression) -> Result<Value, String> {
        self.inside(expression, &Vec::new())
    }

    /// The texts of a list.
    pub fn texts(&self, expression: &Expression) -> Result<Vec<String>, String> {
        let value = self.value(expression)?;
        serde_json::from_value(value)
            .map_err(|_| format!("{}: this is no list of texts: {expression:?}", self.file.path))
    }

    fn inside(&self, expression: &Expression, bound: &Bound<'_>) -> Result<Value, String> {
        Ok(match expression {
            Expression::Null => Value::Null,
            Expression::Bool(value) => json!(value),
            Expression::Number(value) => json!(value),
            Expression::Text(parts) => Value::String(self.text(parts, bound)?),
            Expression::Name(name) => self.name(name, bound)?,
            Expression::Array(entries) => {
                entries.iter().map(|entry| self.inside(entry, bound)).collect::<Result<_, _>>()?
            }
            Expression::Object(properties) => {
                let mut object = Map::new();
                for (key, value) in properties {
                    let Value::String(key) = self.inside(key, bound)? else { return self.cannot("a key", key) };
                    object.insert(key, self.inside(value, bound)?);
                }
                Value::Object(object)
            }
            Expression::Member(of, name) => self
                .inside(of, bound)?
                .get(name)
                .cloned()
                .ok_or_else(|| format!("{}: there is no {name}", self.file.path))?,
            Expression::Index(of, by) => match self.inside(by, bound)? {
                Value::String(name) => self.inside(of, bound)?.get(&name).cloned().unwrap_or_default(),
                _ => return self.cannot("an index", by),
            },
            Expression::Unary(operator, of) if operator == "!" => json!(self.inside(of, bound)? != json!(true)),
            Expression::Binary(operator, left, right) => self.binary(operator, left, right, bound)?,
            Expression::Ternary(condition, yes, no) => {
                self.inside(if self.inside(condition, bound)? == json!(true) { yes } else { no }, bound)?
            }
            Expression::Call(function, arguments) => match function.as_ref() {
                Expression::Name(name) => self.call(name, arguments, bound)?,
                other => return self.cannot("a call", other),
            },
            other => return self.cannot("an expression", other),
        })
    }

    fn cannot<T>(&self, what: &str, expression: &Expression) -> Result<T, String> {
        Err(format!("{}: {what} cannot be told before a deployment: {expression:?}", self.file.path))
    }

    fn text(&self, parts: &[Part], bound: &Bound<'_>) -> Result<String, String> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Of(of) => match self.inside(of, bound)? {
                    Value::String(value) => text.push_str(&value),
                    value => text.push_str(&value.to_string()),
                },
            }
        }
        Ok(text)
    }

    fn name(&self, name: &str, bound: &Bound<'_>) -> Result<Value, String> {
        if let Some((_, value)) = bound.iter().rev().find(|(known, _)| *known == name) {
            return Ok(value.clone());
        }
        if let Some(value) = self.given.get(name) {
            return Ok(value.clone());
        }
        match self.file.variable(name) {
            Some(value) => self.value(value),
            None => Err(format!("{}: nothing is known of {name} before a deployment", self.file.path)),
        }
    }

    fn binary(
        &self,
        operator: &str,
        left: &Expression,
        right: &Expression,
        bound: &Bound<'_>,
    ) -> Result<Value, String> {
        let left_value = self.inside(left, bound)?;
        match (operator, left_value == json!(true)) {
            ("&&", false) => return Ok(json!(false)),
            ("||", true) => return Ok(json!(true)),
            _ => {}
        }
        let right_value = self.inside(right, bound)?;
        Ok(match operator {
            "&&" | "||" => json!(right_value == json!(true)),
            "==" => json!(left_value == right_value),
            "!=" => json!(left_value != right_value),
            _ => return self.cannot(operator, left),
        })
    }

    fn call(&self, function: &str, arguments: &[Expression], bound: &Bound<'_>) -> Result<Value, String> {
        if let ("filter" | "map" | "toObject", [list, lambdas @ ..]) = (function, arguments) {
            return self.over(function, self.inside(list, bound)?, lambdas, bound);
        }
        let values: Vec<Value> =
            arguments.iter().map(|argument| self.inside(argument, bound)).collect::<Result<_, _>>()?;
        match (function, values.as_slice()) {
            ("loadJsonContent", [Value::String(path)]) => self.load(path),
            ("environment", []) => Ok(json!({"name": "AzureCloud", "suffixes": {"storage": "core.windows.net"}})),
            ("empty", [value]) => Ok(json!(is_empty(value))),
            ("contains", [Value::Array(list), value]) => Ok(json!(list.contains(value))),
            ("contains", [Value::Object(object), Value::String(key)]) => Ok(json!(object.contains_key(key))),
            ("contains", [Value::String(text), Value::String(part)]) => Ok(json!(text.contains(part.as_str()))),
            ("startsWith", [Value::String(text), Value::String(part)]) => Ok(json!(text.starts_with(part.as_str()))),
            ("items", [Value::Object(object)]) => {
                Ok(object.iter().map(|(key, value)| json!({"key": key, "value": value})).collect())
            }
            ("objectKeys", [Value::Object(object)]) => Ok(object.keys().cloned().collect()),
            ("flatten", [Value::Array(lists)]) => {
                Ok(lists.iter().filter_map(Value::as_array).flatten().cloned().collect())
            }
            ("concat", lists) if lists.iter().all(Value::is_array) => {
                Ok(lists.iter().filter_map(Value::as_array).flatten().cloned().collect())
            }
            ("union", objects) if objects.iter().all(Value::is_object) => {
                let merged: Map<_, _> = objects
                    .iter()
                    .filter_map(Value::as_object)
                    .flatten()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                Ok(Value::Object(merged))
            }
            _ => Err(format!("{}: {function}(…) cannot be told before a deployment", self.file.path)),
        }
    }

    /// The functions that take lambdas.
    fn over(&self, function: &str, list: Value, lambdas: &[Expression], bound: &Bound<'_>) -> Result<Value, String> {
        let Value::Array(list) = list else { return Err(format!("{}: {function} needs a list", self.file.path)) };
        let apply = |lambda: &Expression, entry: &Value| {
            let Expression::Lambda(name, body) = lambda else { return self.cannot("a lambda", lambda) };
            let mut bound = bound.clone();
            bound.push((name, entry.clone()));
            self.inside(body, &bound)
        };
        match (function, lambdas) {
            ("filter", [keep]) => {
                let kept = list.into_iter().map(|entry| Ok((apply(keep, &entry)? == json!(true)).then_some(entry)));
                Ok(Value::Array(kept.collect::<Result<Vec<_>, String>>()?.into_iter().flatten().collect()))
            }
            ("map", [to]) => list.iter().map(|entry| apply(to, entry)).collect(),
            ("toObject", [key, value]) => {
                let mut object = Map::new();
                for entry in &list {
                    let name = apply(key, entry)?;
                    object.insert(name.as_str().unwrap_or_default().to_owned(), apply(value, entry)?);
                }
                Ok(Value::Object(object))
            }
            _ => Err(format!("{}: {function} is not given what it needs", self.file.path)),
        }
    }

    fn load(&self, path: &str) -> Result<Value, String> {
        let folder = Path::new(&self.file.path).parent().unwrap_or(Path::new(""));
        let path = folder.join(path);
        let text =
            std::fs::read_to_string(self.root.join(&path)).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
