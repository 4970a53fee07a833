//! The machine's time, which a test may push ahead: waits and back-offs are skipped instead of slept through.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use windlass::app::SystemClock;
use windlass::engine::ports::Clock;
use windlass::model::Timestamp;

#[derive(Default)]
pub struct SkippingClock {
    ahead_ms: AtomicI64,
}

impl SkippingClock {
    pub fn skip(&self, span: Duration) {
        self.ahead_ms.fetch_add(i64::try_from(span.as_millis()).expect("a short span"), Ordering::SeqCst);
    }
}

impl Clock for SkippingClock {
    fn now(&self) -> Timestamp {
        let ahead = u64::try_from(self.ahead_ms.load(Ordering::SeqCst)).expect("never behind");
        SystemClock.now() + Duration::from_millis(ahead)
    }

    fn random(&self) -> u64 {
        fastrand::u64(..)
    }
}
