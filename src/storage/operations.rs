//! How many operations a store has performed, by the kind that Azure bills.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that a store adds to; clones share them.
#[derive(Clone, Default, Debug)]
pub struct Operations(Arc<Counters>);

#[derive(Default, Debug)]
struct Counters {
    queue: AtomicU64,
    table: AtomicU64,
    log: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Queue,
    Table,
    Log,
}

/// Operations up to a moment. A transaction counts as one, a try that is repeated counts again.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Spent {
    pub queue: u64,
    pub table: u64,
    /// Blob operations: log segments, and values that outgrew their row.
    pub log: u64,
}

impl Operations {
    pub fn snapshot(&self) -> Spent {
        Spent {
            queue: self.0.queue.load(Ordering::Relaxed),
            table: self.0.table.load(Ordering::Relaxed),
            log: self.0.log.load(Ordering::Relaxed),
        }
    }

    pub(super) fn count(&self, kind: Kind) {
        let counter = match kind {
            Kind::Queue => &self.0.queue,
            Kind::Table => &self.0.table,
            Kind::Log => &self.0.log,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::ops::Sub for Spent {
    type Output = Self;

    /// What was spent between two snapshots.
    fn sub(self, earlier: Self) -> Self {
        Self {
            queue: self.queue.saturating_sub(earlier.queue),
            table: self.table.saturating_sub(earlier.table),
            log: self.log.saturating_sub(earlier.log),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_a_difference_tells_what_was_spent_between() {
        let operations = Operations::default();
        operations.count(Kind::Queue);
        let before = operations.snapshot();
        operations.clone().count(Kind::Table);
        operations.count(Kind::Log);
        assert_eq!(operations.snapshot() - before, Spent { queue: 0, table: 1, log: 1 });
    }
}
