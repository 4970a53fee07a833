//! What is logged, and what is sent to those who watch over it.

use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use super::address::is_private;
use super::insights::{self, InsightsConfig};
use super::reader::Reader;
use super::secret::Secret;
use super::setting::{Kind, Setting};

pub const FILTER: Setting = Setting::new(
    "WINDLASS_LOG",
    Kind::Text,
    "What to log, as tracing directives, for example `info,windlass::engine=debug`.",
)
.or("info");

pub const FORMAT: Setting =
    Setting::new("WINDLASS_LOG_FORMAT", Kind::Choice(&["text", "json"]), "How a log line is written.").or("text");

pub const OTLP_ENDPOINT: Setting = Setting::new(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    Kind::Url,
    "The base address of an OpenTelemetry collector (OTLP over HTTP), `/v1/traces`, `/v1/metrics` and `/v1/logs` below \
     it. https, or http to a loopback address. Unset: nothing is sent there.",
);

pub const OTLP_HEADERS: Setting = Setting::new(
    "OTEL_EXPORTER_OTLP_HEADERS",
    Kind::List,
    "Headers for the collector, as name=value with commas between them; what a value cannot hold is percent-encoded.",
)
.secret();

pub const SERVICE_NAME: Setting =
    Setting::new("OTEL_SERVICE_NAME", Kind::Text, "What traces, metrics and logs call this program.").or("windlass");

pub const FLUSH_MS: Setting = Setting::new(
    "WINDLASS_TELEMETRY_FLUSH_MS",
    Kind::Integer { min: 50, max: 10_000 },
    "How many milliseconds an invocation may wait at its end for its telemetry to be sent.",
)
.or("1500");

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
    /// `APPLICATIONINSIGHTS_CONNECTION_STRING`, `APPLICATIONINSIGHTS_AUTHENTICATION_STRING`
    pub insights: Option<InsightsConfig>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`
    pub otlp: Option<OtlpConfig>,
    /// `OTEL_SERVICE_NAME`
    pub service: String,
    /// `WINDLASS_TELEMETRY_FLUSH_MS`
    pub flush: Duration,
}

/// A collector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtlpConfig {
    /// Without a trailing slash in its path.
    pub endpoint: Url,
    /// Names in lower case.
    pub headers: Vec<(String, Secret)>,
}

pub(super) fn load(reader: &mut Reader<'_>) -> Option<TelemetryConfig> {
    let remedy = "give a level (error, warn, info, debug, trace, off) or directives such as warn,windlass=debug";
    let filter = reader.parsed(&FILTER, remedy, |text| {
        EnvFilter::try_new(text).ok().filter(|_| says_levels(text)).map(|_| text.to_owned())
    });
    let format = reader.choice(&FORMAT).map(|word| match word {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    });
    let insights = insights::load(reader);
    let otlp = otlp(reader);
    let service = reader.text(&SERVICE_NAME);
    let flush = reader.integer(&FLUSH_MS).map(Duration::from_millis);
    Some(TelemetryConfig { filter: filter?, format: format?, insights, otlp, service: service?, flush: flush? })
}

/// A word that is no level would be taken for a place in the code, and silence all others: most likely it is misspelt.
fn says_levels(filter: &str) -> bool {
    let mut directives = filter.split(',').map(str::trim);
    directives.all(|directive| directive.contains(['=', '[']) || directive.parse::<LevelFilter>().is_ok())
}

fn otlp(reader: &mut Reader<'_>) -> Option<OtlpConfig> {
    let remedy = "give an https address without user name, password, query or fragment (http to a loopback address \
                  will do), such as http://127.0.0.1:4318";
    let endpoint = reader.parsed(&OTLP_ENDPOINT, remedy, collector);
    let headers = reader.parsed(&OTLP_HEADERS, "give name=value pairs with commas between them", headers);
    if reader.is_set(&OTLP_HEADERS) && !reader.is_set(&OTLP_ENDPOINT) {
        reader.warn(format!("{} does nothing without {}", OTLP_HEADERS.name, OTLP_ENDPOINT.name));
    }
    Some(OtlpConfig { endpoint: endpoint?, headers: headers.unwrap_or_default() })
}

fn collector(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok().filter(is_private)?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Some(url)
}

fn headers(text: &str) -> Option<Vec<(String, Secret)>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs.map(header).collect()
}

fn header(pair: &str) -> Option<(String, Secret)> {
    let (name, value) = pair.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$&'*+^`|~".contains(&byte);
    let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
    let fits = !name.is_empty() && name.bytes().all(token) && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then(|| (name, Secret::new(value)))
}
