//! Where faults get in: every operation on storage, or on a system outside, goes through here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use windlass::engine::ports::Clock;

use super::chaos::{Chaos, Mode};
use super::{World, WorldClock, workers};

#[derive(Clone)]
pub struct Injector {
    pub(super) chaos: Arc<Mutex<Chaos>>,
    pub(super) clock: Arc<WorldClock>,
}

impl Injector {
    /// The longest between a question and its effect.
    pub const LATEST: Duration = Duration::from_secs(50);

    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    async fn strike(&self, name: String) -> Option<Mode> {
        let (struck, turns) = {
            let mut chaos = self.chaos.lock().expect("never poisoned");
            (chaos.strike(name, self.clock.now()), 1 + chaos.pick(3))
        };
        // Others get their turn, more or fewer of them.
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        struck
    }

    /// Does `effect`, unless the chaos wants it otherwise; `silence` is what a caller without an answer is told.
    /// A death is a future that never comes back: its worker is dropped by whoever runs it.
    pub async fn operate<T, E>(
        &self,
        name: String,
        silence: impl FnOnce() -> E,
        effect: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let struck = self.strike(name).await;
        match struck {
            Some(Mode::Before) => return Err(silence()),
            Some(Mode::DieBefore) => return workers::die().await,
            Some(Mode::Stall) => {
                let span = World::LEASE
                    + Duration::from_secs(1)
                    + self.chaos.lock().expect("never poisoned").span(World::LEASE);
                tokio::time::sleep(span).await;
            }
            Some(Mode::After | Mode::DieAfter) | None => {}
        }
        let answer = effect();
        match struck {
            Some(Mode::After) => Err(silence()),
            Some(Mode::DieAfter) => workers::die().await,
            _ => answer,
        }
    }

    /// As [`operate`](Self::operate), on a system that does what it was asked for even when nobody waits for it any more:
    /// what stalls is the answer, and the effect comes a while after the question.
    pub async fn request<T: Send + 'static, E: Send + 'static>(
        &self,
        name: String,
        silence: impl FnOnce() -> E,
        effect: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let struck = self.strike(name).await;
        match struck {
            Some(Mode::Before) => Err(silence()),
            Some(Mode::DieBefore) => workers::die().await,
            Some(Mode::Stall) => {
                let late = self.chaos.lock().expect("never poisoned").span(Self::LATEST);
                let answer = tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    effect()
                });
                tokio::time::sleep(World::LEASE + Duration::from_secs(1)).await;
                answer.await.expect("an effect")
            }
            Some(Mode::After) => effect().and_then(|_| Err(silence())),
            Some(Mode::DieAfter) => {
                drop(effect());
                workers::die().await
            }
            None => effect(),
        }
    }
}
