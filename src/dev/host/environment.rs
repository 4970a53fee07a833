//! The environment as the host sees it: its own, what the caller adds, and `local.settings.json`.

use std::path::Path;

use serde_json::{Map, Value};

use super::faults::{Faults, HostError};

/// Settings by name. Names are compared without case, as the host's configuration does.
#[derive(Clone, Debug, Default)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// The process's own environment with `over` laid over it.
    pub fn with(over: &[(String, String)]) -> Self {
        let own =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut all: Vec<(String, String)> =
            own.filter(|(name, _)| over.iter().all(|(other, _)| !other.eq_ignore_ascii_case(name))).collect();
        all.extend(over.iter().cloned());
        Self(all)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Lays every `AzureFunctionsJobHost__a__b` over the settings of host.json.
    pub fn override_host(&self, settings: &mut Value) {
        let prefix = "AzureFunctionsJobHost__";
        for (name, value) in &self.0 {
            if name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
                set(settings, &name[prefix.len()..].split("__").collect::<Vec<_>>(), value);
            }
        }
    }

    /// The text with every `%setting%` replaced. The error names the first setting that does not exist.
    pub fn resolve(&self, text: &str) -> Result<String, String> {
        let mut resolved = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            let Some((name, behind)) = after.split_once('%') else { break };
            resolved.push_str(before);
            resolved.push_str(self.get(name).ok_or_else(|| name.to_owned())?);
            rest = behind;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    /// Whether `AzureWebJobs.<function>.Disabled` says so, or the same with `_` for its dots, as systems without dots in
    /// names have it.
    pub fn disables(&self, function: &str) -> bool {
        let names = [format!("AzureWebJobs.{function}.Disabled"), format!("AzureWebJobs_{function}_Disabled")];
        let mut values = names.iter().filter_map(|name| self.get(name));
        values.any(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }
}

/// Sets one value; keys are compared without case.
fn set(settings: &mut Value, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        *settings = Value::String(value.to_owned());
        return;
    };
    if !settings.is_object() {
        *settings = Value::Object(Map::new());
    }
    if let Value::Object(fields) = settings {
        let key =
            fields.keys().find(|key| key.eq_ignore_ascii_case(first)).cloned().unwrap_or_else(|| (*first).to_owned());
        set(fields.entry(key).or_insert(Value::Null), rest, value);
    }
}

/// The `Values` of a `local.settings.json`: each becomes an environment variable unless it is set already.
/// A file that does not exist has none.
pub fn local_settings(path: &Path) -> Result<Vec<(String, String)>, HostError> {
    let mut values = values_of(path)?;
    values.retain(|(name, _)| std::env::var_os(name).is_none());
    Ok(values)
}

/// The `Values` of a `local.settings.json`, whatever the environment says.
pub fn values_of(path: &Path) -> Result<Vec<(String, String)>, HostError> {
    let mut faults = Faults::default();
    let file = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::one(format!("{file} cannot be read: {error}"))),
    };
    let settings: Value = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(settings) => settings,
        Err(error) => return Err(HostError::one(format!("{file} is no JSON: {error}"))),
    };
    if settings.get("IsEncrypted").and_then(Value::as_bool) == Some(true) {
        faults.add(&file, "IsEncrypted is true; run `func settings decrypt`, this host reads plain values only");
    }
    let mut values = Vec::new();
    match settings.get("Values") {
        Some(Value::Object(given)) => {
            for (name, value) in given {
                match value {
                    Value::String(text) => values.push((name.clone(), text.clone())),
                    Value::Bool(_) | Value::Number(_) => values.push((name.clone(), value.to_string())),
                    _ => faults.add(&file, format!("Values.{name} is no text; write a string")),
                }
            }
        }
        None => {}
        Some(_) => faults.add(&file, "Values is no object; write \"Values\": {\"NAME\": \"value\"}"),
    }
    faults.into_result(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_between_percent_signs_are_replaced() {
        let environment = Environment(vec![("QUEUE".to_owned(), "jobs".to_owned())]);
        assert_eq!(environment.resolve("%queue%-1"), Ok("jobs-1".to_owned()));
        assert_eq!(environment.resolve("100%"), Ok("100%".to_owned()));
        assert_eq!(environment.resolve("%missing%"), Err("missing".to_owned()));
    }

    #[test]
    fn local_settings_yield_to_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("local.settings.json");
        std::fs::write(&path, r#"{"IsEncrypted": false, "Values": {"PATH": "mine", "WINDLASS_TEST_X": "1", "N": 2}}"#)
            .unwrap();
        assert_eq!(
            local_settings(&path).unwrap(),
            [("N".to_owned(), "2".to_owned()), ("WINDLASS_TEST_X".to_owned(), "1".to_owned())]
        );
        assert!(local_settings(&folder.path().join("absent.json")).unwrap().is_empty());
    }
}
