//! What the host says to the developer: one line at a time, errors apart.

use std::sync::Arc;

use crate::model::redact;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Information,
    Error,
}

type Sink = dyn Fn(Level, &str) + Send + Sync;

/// Where lines go. The host's own lines are redacted here; the handler's pass as they are.
#[derive(Clone)]
pub struct Voice(Arc<Sink>);

impl Voice {
    pub fn new(sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Information to stdout, errors to stderr.
    pub fn standard() -> Self {
        Self::new(|level, line| match level {
            Level::Information => println!("{line}"),
            Level::Error => eprintln!("{line}"),
        })
    }

    pub fn say(&self, line: &str) {
        (self.0)(Level::Information, &format!("[host] {}", redact(line)));
    }

    pub fn complain(&self, line: &str) {
        (self.0)(Level::Error, &format!("[host] {}", redact(line)));
    }

    /// A line that the handler wrote.
    pub fn relay(&self, level: Level, line: &str) {
        (self.0)(level, &format!("[handler] {line}"));
    }
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Voice")
    }
}
