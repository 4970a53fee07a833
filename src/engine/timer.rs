//! What a pipeline does now and then, without a run.

use async_trait::async_trait;

use super::Engine;
use crate::model::Failure;

/// A timer of a pipeline, known without its clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerSpec {
    /// With dashes; its function has underscores for them.
    pub name: &'static str,
    /// Six fields, seconds first: `0 */30 * * * *` is every half hour.
    pub schedule: &'static str,
}

/// The work of a timer. It may be called by several processes at once, and again after a failure.
#[async_trait]
pub trait Timer: Send + Sync {
    /// One round. An error is shown to whoever looks at the function; the next round comes at its time all the same.
    async fn tick(&self, engine: &Engine) -> Result<(), Failure>;
}

impl Engine {
    /// One round of the timer `name`.
    pub async fn tick(&self, name: &str) -> Result<(), Failure> {
        let timers = self.registry.iter().flat_map(|pipeline| pipeline.spec.timers.iter().zip(&pipeline.timers));
        let Some((_, timer)) = timers.into_iter().find(|(spec, _)| spec.name == name) else {
            return Err(Failure::new("unknown_timer", format!("no pipeline has a timer {name}")));
        };
        timer.tick(self).await
    }
}
