//! What is logged, and how.

use tracing_subscriber::EnvFilter;

use super::reader::Reader;
use super::setting::{Kind, Setting};

pub const FILTER: Setting = Setting::new(
    "WINDLASS_LOG",
    Kind::Text,
    "What to log, as tracing directives, for example `info,windlass::engine=debug`.",
)
.or("info");

pub const FORMAT: Setting =
    Setting::new("WINDLASS_LOG_FORMAT", Kind::Choice(&["text", "json"]), "How a log line is written.").or("text");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TelemetryConfig {
    /// `WINDLASS_LOG`; [`EnvFilter`] understands it.
    pub filter: String,
    /// `WINDLASS_LOG_FORMAT`
    pub format: LogFormat,
}

pub(super) fn load(reader: &mut Reader<'_>) -> Option<TelemetryConfig> {
    let filter = reader.parsed(&FILTER, "give directives such as info or warn,windlass=debug", |text| {
        EnvFilter::try_new(text).ok().map(|_| text.to_owned())
    });
    let format = reader.choice(&FORMAT).map(|word| match word {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    });
    Some(TelemetryConfig { filter: filter?, format: format? })
}
