//! A bell without sockets.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::storage::embedded::Embedded;

const PERIOD: Duration = Duration::from_millis(20);

pub(super) struct Listener {
    store: Embedded,
    ticks: Interval,
    pending: VecDeque<String>,
}

impl Listener {
    pub(super) fn new(store: Embedded) -> Self {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { store, ticks, pending: VecDeque::new() }
    }

    pub(super) async fn rung(&mut self) -> String {
        loop {
            if let Some(queue) = self.pending.pop_front() {
                return queue;
            }
            self.ticks.tick().await;
            // A look that failed is made up for by the next one.
            self.pending.extend(self.store.visible_queues().unwrap_or_default());
        }
    }
}
