//! Workers that stand still in the middle of what they do, and go on much later without knowing it.

use std::pin::Pin;

use super::World;

pub struct Frozen<F>(Pin<Box<F>>);

impl<F: Future> Frozen<F> {
    /// It goes on as if nothing had been.
    pub async fn wake(self) -> F::Output {
        self.0.await
    }
}

impl World {
    /// Lets `life` go on until it has asked for the `nth` operation (from now, from 1) whose name starts with
    /// `operation`, and stops it before that takes effect.
    pub async fn freeze_at<F: Future>(&self, operation: &str, nth: usize, life: F) -> Frozen<F> {
        let until = self.count(operation) + nth;
        let mut life = Box::pin(life);
        while self.count(operation) < until {
            let over = futures::poll!(life.as_mut()).is_ready();
            assert!(!over, "it was over before it asked for {operation}");
            tokio::task::yield_now().await;
        }
        Frozen(life)
    }

    /// Lets `life` have this many turns, and stops it; `Err` is what came of it if it needed no more.
    pub async fn freeze_after<F: Future>(turns: usize, life: F) -> Result<Frozen<F>, F::Output> {
        let mut life = Box::pin(life);
        for _ in 0..turns {
            if let std::task::Poll::Ready(came) = futures::poll!(life.as_mut()) {
                return Err(came);
            }
            tokio::task::yield_now().await;
        }
        Ok(Frozen(life))
    }
}
