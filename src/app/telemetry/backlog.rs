//! What waits to be sent, up to a bound.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Items that nobody takes make room for newer ones beyond this many: a few megabytes at the most.
pub const CAPACITY: usize = 2_048;
/// Items in one request.
pub const BATCH: usize = 512;

#[derive(Debug)]
pub struct Backlog<T>(Mutex<VecDeque<T>>);

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Backlog<T> {
    fn items(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Returns how many were dropped for it.
    pub fn push(&self, item: T) -> u64 {
        let mut items = self.items();
        let dropped = (items.len() >= CAPACITY).then(|| items.pop_front()).flatten();
        items.push_back(item);
        u64::from(dropped.is_some())
    }

    /// The oldest, as many as go into one request.
    pub fn take(&self) -> Vec<T> {
        let mut items = self.items();
        let count = items.len().min(BATCH);
        items.drain(..count).collect()
    }

    /// Puts a batch back that was not taken. Returns how many had no room any more, the oldest.
    pub fn put_back(&self, batch: Vec<T>) -> u64 {
        let mut items = self.items();
        let mut dropped = 0;
        for item in batch.into_iter().rev() {
            if items.len() < CAPACITY {
                items.push_front(item);
            } else {
                dropped += 1;
            }
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_makes_the_oldest_go() {
        let backlog = Backlog::default();
        let dropped: u64 = (0..CAPACITY + 3).map(|item| backlog.push(item)).sum();
        assert_eq!((dropped, backlog.len()), (3, CAPACITY));
        assert_eq!(backlog.take().first(), Some(&3));
    }

    #[test]
    fn what_was_not_taken_keeps_its_place() {
        let backlog = Backlog::default();
        for item in 0..CAPACITY {
            backlog.push(item);
        }
        let batch = backlog.take();
        assert_eq!(batch.len(), BATCH);
        assert_eq!(backlog.push(CAPACITY), 0);
        assert_eq!(backlog.put_back(batch), 1);
        assert_eq!((backlog.len(), backlog.take().first()), (CAPACITY, Some(&1)));
    }
}
