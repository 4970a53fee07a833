//! Keeps a claimed run claimed while its phase works.

use std::time::Duration;

use super::held::{Held, WriteError};
use super::ports::Clock;
use super::transition::Step;

/// Renews the lease at a third of its length; returns only when the run is no longer this worker's.
pub async fn keep(held: Held, clock: &dyn Clock, length: Duration) {
    loop {
        tokio::time::sleep(length / 3).await;
        match held.take(Step::Renew { expires_at: clock.now() + length }).await {
            // An unanswered renewal is tried again at the next third; the lease outlives two of them.
            Ok(_) | Err(WriteError::Store(_)) => {}
            Err(WriteError::Illegal(_) | WriteError::Gone) => return,
        }
    }
}
