//! A line of the log as it is sent: with the trace that it belongs to, and whose work it is about.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::TraceFlags;
use opentelemetry::{Key, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLogger, SdkLoggerProvider};
use tracing::{Event, Level};

use super::SCOPE;
use super::fields::Fields;
use super::ids::ids;
use super::vocabulary::attribute;
use crate::model::Traceparent;

/// Makes records; nothing is emitted through it.
pub struct Lines(SdkLogger);

/// What a span around a line tells of it.
pub struct Around {
    /// `None` of what is no span of its own.
    pub place: Option<Traceparent>,
    pub attributes: Vec<(&'static str, Value)>,
}

impl Lines {
    pub fn new() -> Self {
        let provider = SdkLoggerProvider::builder().with_resource(Resource::builder_empty().build()).build();
        Self(provider.logger(SCOPE))
    }

    /// `around` is told from the inside out.
    pub fn line(&self, event: &Event<'_>, around: &[Around]) -> SdkLogRecord {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (mut line, now) = (self.0.create_log_record(), SystemTime::now());
        line.set_timestamp(now);
        line.set_observed_timestamp(now);
        let (severity, word) = severity(*event.metadata().level());
        line.set_severity_number(severity);
        line.set_severity_text(word);
        line.set_body(AnyValue::from(fields.text("message").unwrap_or_default()));
        if let Some(place) = around.iter().find_map(|span| span.place) {
            let (trace, span) = ids(place);
            line.set_trace_context(trace, span, Some(TraceFlags::SAMPLED));
        }
        let mut told: Vec<Key> = Vec::new();
        for (name, value) in fields.iter().filter(|(name, _)| *name != "message") {
            let key = attribute(name).map_or_else(|| Key::from(format!("windlass.{name}")), Key::from_static_str);
            told.push(key.clone());
            line.add_attribute(key, any(value));
        }
        for (key, value) in around.iter().flat_map(|span| &span.attributes) {
            let key = Key::from_static_str(key);
            if !told.contains(&key) {
                told.push(key.clone());
                line.add_attribute(key, any(value));
            }
        }
        line
    }
}

fn severity(level: Level) -> (Severity, &'static str) {
    match level {
        Level::ERROR => (Severity::Error, "ERROR"),
        Level::WARN => (Severity::Warn, "WARN"),
        Level::INFO => (Severity::Info, "INFO"),
        Level::DEBUG => (Severity::Debug, "DEBUG"),
        Level::TRACE => (Severity::Trace, "TRACE"),
    }
}

fn any(value: &Value) -> AnyValue {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        other => other.as_str().into_owned().into(),
    }
}
