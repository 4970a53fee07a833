//! Blocking work that ends when its time is up or when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Tells blocking work to end: as a flag for code that looks now and then, as a token for code that waits.
#[derive(Clone)]
pub(super) struct Stop {
    flag: Arc<AtomicBool>,
    token: CancellationToken,
}

impl Stop {
    pub(super) fn new() -> Self {
        Self { flag: Arc::default(), token: CancellationToken::new() }
    }

    pub(super) fn set(&self) {
        self.flag.store(true, Ordering::Relaxed);
        self.token.cancel();
    }

    pub(super) fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    pub(super) fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    pub(super) async fn wait(&self) {
        self.token.cancelled().await;
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Why blocking work has no result of its own.
#[derive(Debug)]
pub(super) enum Ended {
    TimedOut,
    Panicked,
}

/// How long work that was told to stop may take to leave its files alone.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `work` on a blocking thread. When `limit` has passed or the returned future is dropped, the work is told to
/// stop; after the limit its end is awaited for a moment, so that its directory can be removed.
pub(super) async fn run<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Result<T, Ended> {
    let stop = Stop::new();
    let guard = StopOnDrop(stop.clone());
    let span = tracing::Span::current();
    let mut task = tokio::task::spawn_blocking(move || span.in_scope(|| work(&stop)));
    match tokio::time::timeout_at(Instant::now() + limit, &mut task).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err(Ended::Panicked),
        Err(_) => {
            guard.0.set();
            let _ = tokio::time::timeout(GRACE, task).await;
            Err(Ended::TimedOut)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_past_its_limit_is_stopped_and_awaited() {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let result = run(Duration::from_millis(1), move |stop| {
            while !stop.is_set() {
                std::thread::yield_now();
            }
            seen.store(true, Ordering::SeqCst);
        })
        .await;
        assert!(matches!(result, Err(Ended::TimedOut)));
        assert!(ended.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_stopped() {
        let (ended, seen) = tokio::sync::oneshot::channel();
        let mut running = Box::pin(run(Duration::from_secs(600), move |stop| {
            while !stop.is_set() {
                std::thread::yield_now();
            }
            let _ = ended.send(());
        }));
        assert!(futures::poll!(running.as_mut()).is_pending());
        drop(running);
        assert_eq!(seen.await, Ok(()));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        assert!(matches!(run(Duration::from_secs(600), |_| panic!("planted")).await, Err::<(), _>(Ended::Panicked)));
    }
}
