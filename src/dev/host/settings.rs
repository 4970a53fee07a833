//! `host.json`, with the overrides that the environment holds.
//!
//! The measured host ignores misspelt keys and stops or hangs on other mistakes; here each is a fault.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::environment::Environment;
use super::faults::Faults;
use super::moment::parse_span;

const TOP: &[&str] = &[
    "$schema",
    "aggregator",
    "concurrency",
    "customHandler",
    "extensionBundle",
    "extensions",
    "functions",
    "functionTimeout",
    "healthMonitor",
    "logging",
    "managedDependency",
    "retry",
    "sendCanceledInvocationsToWorker",
    "singleton",
    "telemetryMode",
    "version",
    "watchDirectories",
    "watchFiles",
];
const QUEUES: &[&str] = &[
    "batchSize",
    "maxDequeueCount",
    "maxPollingInterval",
    "messageEncoding",
    "newBatchThreshold",
    "visibilityTimeout",
];
const HTTP: &[&str] = &[
    "customHeaders",
    "dynamicThrottlesEnabled",
    "hsts",
    "maxConcurrentRequests",
    "maxOutstandingRequests",
    "routePrefix",
];
const HANDLER: &[&str] = &[
    "description",
    "enableForwardingHttpRequest",
    "enableProxyingHttpRequest",
    "http",
    "initializationTimeout",
    "type",
];
const DESCRIPTION: &[&str] = &["arguments", "defaultExecutablePath", "defaultWorkerPath", "workingDirectory"];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Plain,
    Base64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct QueueSettings {
    pub batch_size: usize,
    pub new_batch_threshold: usize,
    pub max_polling_interval: Duration,
    pub visibility_timeout: Duration,
    pub max_dequeue_count: u32,
    pub encoding: Encoding,
}

#[derive(Clone, PartialEq, Debug)]
pub struct HostSettings {
    /// Without slashes at its ends; empty for none.
    pub route_prefix: String,
    pub queues: QueueSettings,
    /// None for no bound.
    pub function_timeout: Option<Duration>,
    /// How long the handler may take to its first answer.
    pub initialization_timeout: Duration,
    pub arguments: Vec<String>,
    pub forwarding: bool,
    pub proxying: bool,
}

/// Reads `<root>/host.json`. What is wrong is added to `faults`, and a default stands in for it.
pub fn read(root: &Path, environment: &Environment, faults: &mut Faults) -> HostSettings {
    let path = root.join("host.json");
    let file = path.display().to_string();
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&file, &text, environment, faults),
        Err(error) => {
            faults.add(&file, format!("cannot be read ({error}); a script root holds a host.json"));
            Reader { file: &file, faults }.settings(&Value::Object(Map::new()))
        }
    }
}

/// The same for the text of a host.json; complaints call it `file`.
pub fn parse(file: &str, text: &str, environment: &Environment, faults: &mut Faults) -> HostSettings {
    let mut given = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_else(|error| {
        faults.add(file, format!("is no JSON ({error})"));
        Value::Object(Map::new())
    });
    if !given.is_object() {
        faults.add(file, "is no JSON object; begin with {\"version\": \"2.0\"");
        given = Value::Object(Map::new());
    }
    environment.override_host(&mut given);
    Reader { file, faults }.settings(&given)
}

struct Reader<'a> {
    file: &'a str,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn settings(&mut self, given: &Value) -> HostSettings {
        let none = Map::new();
        let top = self.section(given, "", TOP).unwrap_or(&none);
        let text = get(top, "version").and_then(Value::as_str);
        if !top.is_empty() && text != Some("2.0") {
            self.faults.add(self.file, "version is not \"2.0\"; write \"version\": \"2.0\"");
        }
        let extensions = get(top, "extensions").unwrap_or(&Value::Null);
        let queues = extensions.get("queues").unwrap_or(&Value::Null);
        let queues = self.section(queues, "extensions.queues.", QUEUES).unwrap_or(&none);
        let http = extensions.get("http").unwrap_or(&Value::Null);
        let http = self.section(http, "extensions.http.", HTTP).unwrap_or(&none);
        let handler = get(top, "customHandler").unwrap_or(&Value::Null);
        let handler = self.section(handler, "customHandler.", HANDLER).unwrap_or(&none);
        let description = get(handler, "description").unwrap_or(&Value::Null);
        let description = self.section(description, "customHandler.description.", DESCRIPTION).unwrap_or(&none);
        if !top.is_empty()
            && get(description, "defaultExecutablePath").and_then(Value::as_str).is_none_or(str::is_empty)
        {
            self.faults.add(
                self.file,
                "customHandler.description.defaultExecutablePath is missing; name the handler's file in the package",
            );
        }
        let batch_size = self.number(queues, "batchSize", 16, 1, 32);
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        HostSettings {
            route_prefix: get(http, "routePrefix")
                .and_then(Value::as_str)
                .unwrap_or("api")
                .trim_matches('/')
                .to_owned(),
            queues: QueueSettings {
                batch_size: usize::try_from(batch_size).unwrap_or(16),
                new_batch_threshold: usize::try_from(self.number(
                    queues,
                    "newBatchThreshold",
                    (batch_size / 2) * processors,
                    0,
                    u64::from(u32::MAX),
                ))
                .unwrap_or(usize::MAX),
                max_polling_interval: self.polling_interval(queues),
                visibility_timeout: self.span(queues, "extensions.queues.", "visibilityTimeout").unwrap_or_default(),
                max_dequeue_count: u32::try_from(self.number(queues, "maxDequeueCount", 5, 1, u64::from(u32::MAX)))
                    .unwrap_or(5),
                encoding: self.encoding(queues),
            },
            function_timeout: match get(top, "functionTimeout").and_then(Value::as_str) {
                Some("-1") => None,
                _ => Some(self.span(top, "", "functionTimeout").unwrap_or(Duration::from_secs(30 * 60))),
            },
            initialization_timeout: self
                .span(handler, "customHandler.", "initializationTimeout")
                .unwrap_or(Duration::from_secs(30)),
            arguments: self.arguments(description),
            forwarding: self.flag(handler, "enableForwardingHttpRequest"),
            proxying: self.flag(handler, "enableProxyingHttpRequest"),
        }
    }

    /// The fields of an object, every key of which must be known.
    fn section<'v>(&mut self, value: &'v Value, prefix: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let fields = match value {
            Value::Object(fields) => fields,
            Value::Null => return None,
            _ => {
                self.faults.add(self.file, format!("{} is no object", prefix.trim_end_matches('.')));
                return None;
            }
        };
        for key in fields.keys() {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                self.faults.add(
                    self.file,
                    format!(
                        "{prefix}{key} is no setting of this host and would be ignored; it knows {}",
                        known.join(", ")
                    ),
                );
            }
        }
        Some(fields)
    }

    fn number(&mut self, fields: &Map<String, Value>, key: &str, default: u64, from: u64, to: u64) -> u64 {
        let Some(value) = get(fields, key) else { return default };
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        number.filter(|number| (from..=to).contains(number)).unwrap_or_else(|| {
            self.faults
                .add(self.file, format!("extensions.queues.{key} is {value}; write a number from {from} to {to}"));
            default
        })
    }

    fn span(&mut self, fields: &Map<String, Value>, prefix: &str, key: &str) -> Option<Duration> {
        let value = get(fields, key)?;
        let text = value.as_str().unwrap_or_default();
        let span = parse_span(text);
        if span.is_none() {
            self.faults.add(self.file, format!("{prefix}{key} is {value}; write a time span such as \"00:00:05\""));
        } else if !text.contains(':') {
            self.faults.add(self.file, format!("{prefix}{key} is \"{text}\", which means days; write \"hh:mm:ss\""));
        }
        span
    }

    fn polling_interval(&mut self, queues: &Map<String, Value>) -> Duration {
        let least = Duration::from_millis(100);
        let interval = self.span(queues, "extensions.queues.", "maxPollingInterval").unwrap_or(Duration::from_secs(2));
        if interval < least {
            self.faults.add(self.file, "extensions.queues.maxPollingInterval is under 00:00:00.100, the least allowed");
        }
        interval.max(least)
    }

    fn encoding(&mut self, queues: &Map<String, Value>) -> Encoding {
        match get(queues, "messageEncoding").map(|value| value.as_str().unwrap_or_default().to_ascii_lowercase()) {
            None => Encoding::Base64,
            Some(text) if text == "base64" => Encoding::Base64,
            Some(text) if text == "none" => Encoding::Plain,
            Some(text) => {
                self.faults.add(
                    self.file,
                    format!("extensions.queues.messageEncoding is \"{text}\"; write \"none\" or \"base64\""),
                );
                Encoding::Base64
            }
        }
    }

    /// The measured host joins the arguments by blanks and splits them again.
    fn arguments(&mut self, description: &Map<String, Value>) -> Vec<String> {
        let Some(value) = get(description, "arguments") else { return Vec::new() };
        let Some(texts) = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
        else {
            self.faults.add(self.file, "customHandler.description.arguments is no list of strings");
            return Vec::new();
        };
        texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
    }

    fn flag(&mut self, handler: &Map<String, Value>, key: &str) -> bool {
        match get(handler, key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => true,
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => false,
            Some(value) => {
                self.faults.add(self.file, format!("customHandler.{key} is {value}; write true or false"));
                false
            }
        }
    }
}

fn get<'v>(fields: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(host_json: &str, environment: &[(&str, &str)]) -> (HostSettings, String) {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("host.json"), host_json).unwrap();
        let over: Vec<_> = environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut faults = Faults::default();
        let settings = read(root.path(), &Environment::with(&over), &mut faults);
        (settings, faults.into_result(()).err().map_or(String::new(), |error| error.to_string()))
    }

    const HANDLER: &str =
        r#""customHandler": {"description": {"defaultExecutablePath": "h", "arguments": ["a b", "c"]}}"#;

    #[test]
    fn defaults_are_the_measured_hosts() {
        let (settings, faults) = given(&format!(r#"{{"version": "2.0", {HANDLER}}}"#), &[]);
        assert_eq!(faults, "");
        assert_eq!(settings.route_prefix, "api");
        assert_eq!(settings.queues.encoding, Encoding::Base64);
        assert_eq!((settings.queues.batch_size, settings.queues.max_dequeue_count), (16, 5));
        assert_eq!(settings.arguments, ["a", "b", "c"]);
        assert_eq!(settings.function_timeout, Some(Duration::from_secs(1_800)));
    }

    #[test]
    fn the_environment_overrides_any_value() {
        let (settings, faults) = given(
            &format!(
                r#"{{"version": "2.0", {HANDLER}, "extensions": {{"queues": {{"maxPollingInterval": "00:00:01"}}}}}}"#
            ),
            &[
                ("AzureFunctionsJobHost__extensions__queues__maxPollingInterval", "00:00:00.100"),
                ("AzureFunctionsJobHost__Extensions__Queues__BatchSize", "3"),
                ("AzureFunctionsJobHost__functionTimeout", "00:00:07"),
                ("AzureFunctionsJobHost__customHandler__enableForwardingHttpRequest", "true"),
            ],
        );
        assert_eq!(faults, "");
        assert_eq!(settings.queues.max_polling_interval, Duration::from_millis(100));
        assert_eq!(settings.queues.batch_size, 3);
        assert_eq!(settings.function_timeout, Some(Duration::from_secs(7)));
        assert!(settings.forwarding);
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_file() {
        let (_, faults) = given(
            r#"{"version": "1.0", "extensions": {"queues": {"batchSize": 33, "batchsise": 2, "maxPollingInterval": "5",
                "visibilityTimeout": "soon", "maxDequeueCount": 0, "messageEncoding": "utf8"}}, "functionTimeout": "x"}"#,
            &[],
        );
        for part in [
            "host.json",
            "version is not",
            "batchSize is 33",
            "batchsise is no setting",
            "means days",
            "visibilityTimeout",
            "maxDequeueCount is 0",
            "messageEncoding is \"utf8\"",
            "functionTimeout",
            "defaultExecutablePath is missing",
        ] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
    }

    #[test]
    fn a_host_json_that_is_missing_or_no_json_is_a_fault() {
        let mut faults = Faults::default();
        read(Path::new("/nonexistent"), &Environment::default(), &mut faults);
        assert!(faults.into_result(()).unwrap_err().to_string().contains("cannot be read"));
        assert!(given("", &[]).1.contains("is no JSON"));
        assert!(given("[]", &[]).1.contains("no JSON object"));
    }
}
