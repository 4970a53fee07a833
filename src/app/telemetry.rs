//! The log. The Functions host takes a line on stdout as information and one on stderr as an error, or as a warning if it
//! has that word in it: warnings and errors go there.

pub mod names;

use std::io::Write as _;
use std::panic;

use anyhow::Context;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt as _;

use crate::config::{LogFormat, TelemetryConfig};
use crate::model::redact;

/// Begins logging, and lets panics speak in one redacted line.
pub fn begin(config: &TelemetryConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter).context("WINDLASS_LOG")?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr.with_max_level(Level::WARN).or_else(std::io::stdout))
        // A host that died reads no more. To complain of it on stderr, which it does not read either, would be a panic.
        .log_internal_errors(false);
    let begun = match config.format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    begun.map_err(|error| anyhow::anyhow!("the log cannot begin: {error}"))?;
    panic::set_hook(Box::new(|info| {
        let said = redact(&info.to_string().replace('\n', " "));
        // A panic must show even where the log is filtered; where nobody reads it, it must not become another one.
        let _ = writeln!(std::io::stderr(), "{said}");
    }));
    Ok(())
}
