//! Timer `upgrade-check`: asks the repository every half hour.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::check::{Checked, check};
use crate::engine::{Engine, Timer, TimerSpec};
use crate::model::Failure;
use crate::pipelines::upgrade::Upgrade;

pub const CHECK: TimerSpec = TimerSpec { name: "upgrade-check", schedule: "0 */30 * * * *" };

/// Less than the time between two rounds: a round that is late does not make the next one miss its turn.
const MIN_AGE: Duration = Duration::from_secs(25 * 60);

pub struct CheckTimer {
    pub upgrade: Arc<Upgrade>,
}

#[async_trait]
impl Timer for CheckTimer {
    /// A repository that cannot be read is told in the log and in the list of candidates; it is no failure of the round.
    async fn tick(&self, engine: &Engine) -> Result<(), Failure> {
        match check(engine, &self.upgrade, MIN_AGE).await {
            Ok(Checked::Read { fresh }) if !fresh.is_empty() => {
                tracing::info!(versions = fresh.join(", "), "the repository has new releases");
            }
            Ok(Checked::Failed(failure)) => {
                tracing::warn!(code = failure.code, error = %failure, "the repository cannot be read");
            }
            Ok(Checked::Unset | Checked::Throttled { .. } | Checked::Read { .. }) => {}
            Err(error) => return Err(Failure::new("storage_unavailable", error.to_string())),
        }
        Ok(())
    }
}
