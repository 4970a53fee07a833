//! How much telemetry was lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// Counters of dropped items, for all destinations together; clones share them.
#[derive(Clone, Default, Debug)]
pub struct Dropped(Arc<Counters>);

#[derive(Default, Debug)]
struct Counters {
    traces: AtomicU64,
    logs: AtomicU64,
    metrics: AtomicU64,
}

impl Dropped {
    fn counter(&self, signal: Signal) -> &AtomicU64 {
        match signal {
            Signal::Traces => &self.0.traces,
            Signal::Logs => &self.0.logs,
            Signal::Metrics => &self.0.metrics,
        }
    }

    pub fn add(&self, signal: Signal, items: u64) {
        self.counter(signal).fetch_add(items, Ordering::Relaxed);
    }

    /// Each signal's count, by its name.
    pub fn counts(&self) -> [(&'static str, u64); 3] {
        let count = |signal| self.counter(signal).load(Ordering::Relaxed);
        [("traces", count(Signal::Traces)), ("logs", count(Signal::Logs)), ("metrics", count(Signal::Metrics))]
    }

    pub fn total(&self) -> u64 {
        self.counts().iter().map(|(_, count)| count).sum()
    }
}
