//! Keeps a claimed run claimed while its phase works.

use std::time::Duration;

use super::held::{Held, WriteError};
use super::ports::Clock;
use super::transition::Step;

/// Why a worker has to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The run belongs to somebody else, or may by now.
    Lost,
    /// Somebody asked for the run to be cancelled.
    Cancelled,
}

/// Renews the lease at a third of its length; returns when the worker has to stop.
///
/// A renewal that is not answered within a third is tried again, for as long as the last one that was granted holds.
pub async fn keep(held: Held, clock: &dyn Clock, length: Duration) -> Stop {
    let third = length / 3;
    let mut good_until = clock.now() + length;
    loop {
        tokio::time::sleep(third).await;
        let expires_at = clock.now() + length;
        match tokio::time::timeout(third, held.take(Step::Renew { expires_at })).await {
            Ok(Ok(run)) if run.cancel_pending().is_some() => return Stop::Cancelled,
            Ok(Ok(_)) => good_until = expires_at,
            Ok(Err(WriteError::Illegal(_) | WriteError::Gone)) => return Stop::Lost,
            Ok(Err(WriteError::Store(_))) | Err(_) if clock.now() >= good_until => return Stop::Lost,
            Ok(Err(WriteError::Store(_))) | Err(_) => {}
        }
    }
}
