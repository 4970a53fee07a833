//! The log. The Functions host takes a line on stdout as information and one on stderr as an error, or as a warning if it
//! has that word in it: warnings and errors go there.

use std::io::Write as _;
use std::panic;

use anyhow::Context;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::MakeWriterExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::spans::Spans;
use crate::config::{LogFormat, TelemetryConfig};
use crate::model::redact;

/// Begins logging, and lets panics speak in one redacted line. `spans` takes what is sent elsewhere.
pub fn begin(config: &TelemetryConfig, spans: Option<Spans>) -> anyhow::Result<()> {
    let begun = match spans {
        None => tracing_subscriber::registry().with(lines(config)?).try_init(),
        Some(spans) => {
            // What is sent is not what is logged: somebody who wants a quiet log wants traces all the same. What happens in
            // sending is not sent.
            let ours = Targets::new().with_target(OURS, Level::INFO).with_target(OURSELVES, LevelFilter::OFF);
            tracing_subscriber::registry().with(lines(config)?).with(spans.with_filter(ours)).try_init()
        }
    };
    begun.map_err(|error| anyhow::anyhow!("the log cannot begin: {error}"))?;
    panic::set_hook(Box::new(|info| {
        let said = redact(&info.to_string().replace('\n', " "));
        // A panic must show even where the log is filtered; where nobody reads it, it must not become another one.
        let _ = writeln!(std::io::stderr(), "{said}");
    }));
    Ok(())
}

/// The program's own spans and lines, by where they come from.
const OURS: &str = "windlass";
const OURSELVES: &str = "windlass::app::telemetry";

fn lines<S>(config: &TelemetryConfig) -> anyhow::Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(&config.filter).context("WINDLASS_LOG")?;
    let lines = fmt::layer()
        .with_ansi(false)
        .with_writer(std::io::stderr.with_max_level(Level::WARN).or_else(std::io::stdout))
        // A host that died reads no more. To complain of it on stderr, which it does not read either, would be a panic.
        .log_internal_errors(false);
    Ok(match config.format {
        LogFormat::Text => lines.with_target(false).with_filter(filter).boxed(),
        // Of the spans, the list alone: the innermost stands in it, too.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_filter(filter).boxed(),
    })
}
