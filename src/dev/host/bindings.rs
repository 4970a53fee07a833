//! Reads the functions: every immediate child folder that holds a `function.json`, in alphabetical order.
//!
//! The measured host puts a function with a wrong `function.json` in error and accepts misspelt properties in silence;
//! here each is a fault that keeps the host from starting.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::environment::Environment;
use super::faults::Faults;
use super::functions::{Function, Output, OutputKind, Schedule, TimerTrigger, Trigger};
use super::moment::parse_span;
use super::names::{is_binding_name, is_function_name, is_queue_name};
use super::ncrontab::Ncrontab;
use super::routes::Route;

const TOP: &[&str] = &[
    "$schema",
    "bindings",
    "configurationSource",
    "disabled",
    "entryPoint",
    "excluded",
    "generatedBy",
    "name",
    "scriptFile",
];
const HTTP_TRIGGER: &[&str] = &["authLevel", "dataType", "direction", "methods", "name", "route", "type"];
const HTTP: &[&str] = &["direction", "name", "type"];
const QUEUE: &[&str] = &["connection", "dataType", "direction", "name", "queueName", "type"];
const TIMER: &[&str] = &["dataType", "direction", "name", "runOnStartup", "schedule", "type", "useMonitor"];
const AUTH_LEVELS: &[&str] = &["anonymous", "function", "admin", "system"];

/// Reads the functions below `folder`, disabled ones too.
pub fn read(folder: &Path, prefix: &str, environment: &Environment, faults: &mut Faults) -> Vec<Function> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            faults
                .add(&folder.display().to_string(), format!("cannot be read ({error}); it holds a folder a function"));
            return Vec::new();
        }
    };
    let mut folders: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("function.json").is_file())
        .collect();
    folders.sort_by_key(|path| path.file_name().map(|name| name.to_string_lossy().to_lowercase()));
    let read = |path: PathBuf| {
        let file = path.join("function.json");
        FunctionFile {
            function: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            text: std::fs::read_to_string(&file).unwrap_or_default(),
            shown: file.display().to_string(),
        }
    };
    parse(folders.into_iter().map(read), prefix, environment, faults)
}

/// A function.json, and what complaints call it.
pub struct FunctionFile {
    pub function: String,
    pub text: String,
    pub shown: String,
}

/// The same for files that were read already.
pub fn parse(
    files: impl IntoIterator<Item = FunctionFile>,
    prefix: &str,
    environment: &Environment,
    faults: &mut Faults,
) -> Vec<Function> {
    let mut functions: Vec<Function> = Vec::new();
    for FunctionFile { function, text, shown } in files {
        let mut reader = Reader { file: shown, environment, faults, sound: true };
        if let Some(function) = reader.function(&function, &text, prefix) {
            reader.no_conflict(&function, &functions);
            functions.push(function);
        }
    }
    functions
}

struct Reader<'a> {
    file: String,
    environment: &'a Environment,
    faults: &'a mut Faults,
    sound: bool,
}

impl Reader<'_> {
    fn fault(&mut self, what: impl std::fmt::Display) {
        self.sound = false;
        self.faults.add(&self.file, what);
    }

    fn function(&mut self, name: &str, text: &str, prefix: &str) -> Option<Function> {
        let given: Value = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(given) => given,
            Err(error) => {
                self.fault(format!("is no JSON ({error})"));
                return None;
            }
        };
        let Some(top) = given.as_object() else {
            self.fault("is no JSON object; begin with {\"bindings\": [");
            return None;
        };
        let disabled = self.environment.disables(name) || top.get("disabled") == Some(&Value::Bool(true));
        if !is_function_name(name) {
            self.fault(format!(
                "'{name}' is no function name; letters, digits, - and _, beginning with a letter, not 'host'"
            ));
        }
        self.keys(top, "", TOP);
        let Some(bindings) = top.get("bindings").and_then(Value::as_array).filter(|list| !list.is_empty()) else {
            self.fault("has no bindings; list one trigger and its outputs under \"bindings\"");
            return None;
        };
        let mut triggers = Vec::new();
        let mut outputs = Vec::new();
        for (index, binding) in bindings.iter().enumerate() {
            let place = format!("bindings[{index}].");
            let Some(binding) = binding.as_object() else {
                self.fault(format!("bindings[{index}] is no object"));
                continue;
            };
            let binding_name = self.text(binding, &place, "name").unwrap_or_default();
            if !is_binding_name(&binding_name) {
                self.fault(format!(
                    "{place}name is '{binding_name}'; write letters and digits beginning with a letter, or $return"
                ));
            }
            match binding.get("type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase().as_str() {
                "httptrigger" => {
                    triggers.extend(self.http(binding, &place, name, prefix).map(|trigger| (binding_name, trigger)));
                }
                "queuetrigger" => {
                    triggers.extend(
                        self.queue(binding, &place, "in").map(|queue| (binding_name, Trigger::Queue { queue })),
                    );
                }
                "timertrigger" => {
                    triggers.extend(self.timer(binding, &place).map(|timer| (binding_name, Trigger::Timer(timer))));
                }
                "http" => {
                    self.keys(binding, &place, HTTP);
                    self.direction(binding, &place, "out");
                    outputs.push(Output { name: binding_name, kind: OutputKind::Http });
                }
                "queue" => {
                    let queue = self.queue(binding, &place, "out");
                    outputs.extend(queue.map(|queue| Output { name: binding_name, kind: OutputKind::Queue { queue } }));
                }
                other => self.fault(format!(
                    "{place}type is '{other}'; this host knows httpTrigger, queueTrigger, timerTrigger, http and queue"
                )),
            }
        }
        if triggers.len() != 1 && self.sound {
            self.fault(format!("has {} triggers; a function has exactly one", triggers.len()));
        }
        let (binding, trigger) = triggers.into_iter().next()?;
        self.sound.then(|| Function { name: name.to_owned(), binding, trigger, outputs, disabled })
    }

    fn keys(&mut self, fields: &Map<String, Value>, place: &str, known: &[&str]) {
        for key in fields.keys() {
            if !known.contains(&key.as_str()) {
                self.fault(format!(
                    "{place}{key} is no property of it and would be ignored; it has {}",
                    known.join(", ")
                ));
            }
        }
    }

    fn text(&mut self, fields: &Map<String, Value>, place: &str, key: &str) -> Option<String> {
        let text = fields.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if text.is_none() {
            self.fault(format!("{place}{key} is missing or no text"));
        }
        text.map(str::to_owned)
    }

    fn resolved(&mut self, fields: &Map<String, Value>, place: &str, key: &str) -> Option<String> {
        let text = self.text(fields, place, key)?;
        match self.environment.resolve(&text) {
            Ok(resolved) => Some(resolved),
            Err(missing) => {
                self.fault(format!(
                    "{place}{key} is '{text}', but no setting '{missing}' exists; set it in local.settings.json"
                ));
                None
            }
        }
    }

    fn flag(&mut self, fields: &Map<String, Value>, place: &str, key: &str, default: bool) -> bool {
        match fields.get(key) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.fault(format!("{place}{key} is {other}; write true or false"));
                default
            }
        }
    }

    fn direction(&mut self, fields: &Map<String, Value>, place: &str, direction: &str) {
        if fields.get("direction").and_then(Value::as_str) != Some(direction) {
            self.fault(format!("{place}direction is not \"{direction}\"; write \"direction\": \"{direction}\""));
        }
    }

    fn http(&mut self, fields: &Map<String, Value>, place: &str, function: &str, prefix: &str) -> Option<Trigger> {
        self.keys(fields, place, HTTP_TRIGGER);
        self.direction(fields, place, "in");
        if let Some(level) = fields.get("authLevel") {
            let text = level.as_str().unwrap_or_default().to_ascii_lowercase();
            if !AUTH_LEVELS.contains(&text.as_str()) {
                self.fault(format!("{place}authLevel is {level}; write anonymous, function or admin"));
            }
        }
        let methods = match fields.get("methods") {
            None | Some(Value::Null) => None,
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                Some(list.iter().filter_map(Value::as_str).map(str::to_ascii_uppercase).collect())
            }
            Some(other) => {
                self.fault(format!("{place}methods is {other}; write a list such as [\"get\", \"post\"]"));
                None
            }
        };
        let text = match fields.get("route") {
            None | Some(Value::Null) => function,
            Some(Value::String(text)) => text.as_str(),
            Some(other) => {
                self.fault(format!("{place}route is {other}; write a text such as \"api/runs/{{id}}\""));
                return None;
            }
        };
        match Route::parse(prefix, text, methods) {
            Ok(route) => Some(Trigger::Http(route)),
            Err(what) => {
                self.fault(format!("{place}route '{text}' {what}"));
                None
            }
        }
    }

    fn queue(&mut self, fields: &Map<String, Value>, place: &str, direction: &str) -> Option<String> {
        self.keys(fields, place, QUEUE);
        self.direction(fields, place, direction);
        let queue = self.resolved(fields, place, "queueName")?;
        if !is_queue_name(&queue) {
            self.fault(format!("{place}queueName is '{queue}'; write 3 to 63 of a-z, 0-9 and single dashes"));
            return None;
        }
        Some(queue)
    }

    fn timer(&mut self, fields: &Map<String, Value>, place: &str) -> Option<TimerTrigger> {
        self.keys(fields, place, TIMER);
        self.direction(fields, place, "in");
        let run_on_startup = self.flag(fields, place, "runOnStartup", false);
        let use_monitor = self.flag(fields, place, "useMonitor", true);
        let text = self.resolved(fields, place, "schedule")?;
        let schedule = match Ncrontab::parse(&text) {
            Ok(cron) => Schedule::Cron(cron),
            Err(what) => match parse_span(&text).filter(|span| text.contains(':') && !span.is_zero()) {
                Some(span) => Schedule::Every(span),
                None => {
                    self.fault(format!("{place}schedule '{text}' {what}"));
                    return None;
                }
            },
        };
        Some(TimerTrigger { schedule, run_on_startup, use_monitor })
    }

    fn no_conflict(&mut self, function: &Function, others: &[Function]) {
        for other in others {
            let why = match (&function.trigger, &other.trigger) {
                _ if other.name.eq_ignore_ascii_case(&function.name) => "has the name of",
                (Trigger::Http(own), Trigger::Http(known)) if own.conflicts(known) => "has the route of",
                _ => continue,
            };
            self.fault(format!("{why} function '{}'; only one of the two would ever be called", other.name));
        }
    }
}
