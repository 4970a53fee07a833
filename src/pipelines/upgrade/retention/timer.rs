//! Timer `upgrade-retention`: starts the run of the day, in the first hour in which the platform is free.

use std::sync::Arc;

use async_trait::async_trait;

use super::SPEC;
use super::state::RetentionInput;
use crate::engine::ports::StoreError;
use crate::engine::{Engine, NOT_QUEUED, PhaseError, StartError, StartRequest, Timer, TimerSpec};
use crate::model::{End, Failure, Progress, Run, Verdict};
use crate::pipelines::upgrade::{SPEC as UPGRADE, Upgrade, UpgradeState, scope};

pub const RETENTION: TimerSpec = TimerSpec { name: "upgrade-retention", schedule: "0 17 * * * *" };

/// Who starts these runs.
const STARTER: &str = "windlass";
/// Upgrades among which the newest that succeeded is looked for.
const LOOKED_AT: usize = 50;

pub struct RetentionTimer {
    pub upgrade: Arc<Upgrade>,
}

#[async_trait]
impl Timer for RetentionTimer {
    async fn tick(&self, engine: &Engine) -> Result<(), Failure> {
        if !self.has_registry().await {
            return Ok(());
        }
        let date: String = engine.now().to_string().chars().take_while(|c| *c != 'T').collect();
        let last = engine.latest_of(&scope(), &[SPEC.name]).await.map_err(told)?;
        if last.is_some_and(|run| is_of(&run, &date)) {
            return Ok(());
        }
        let input = RetentionInput { newest: newest(engine).await.map_err(told)?, date };
        let request = StartRequest {
            pipeline: SPEC.name,
            scope: scope(),
            idempotency_key: Some(format!("retention-{}", input.date)),
            input: serde_json::to_value(&input).unwrap_or_default(),
            started_by: STARTER.to_owned(),
        };
        match engine.start(request).await {
            Ok(started) => tracing::info!(run = %started.run.id, "retention is on its way"),
            Err(StartError::Busy { owner, .. }) => {
                tracing::info!(run = %owner, "the platform is being changed; retention comes in an hour");
            }
            // Somebody wants it so, and has been told.
            Err(error @ StartError::Closed { .. }) => tracing::info!(%error, "there is no retention"),
            // Another process has started the run of the day.
            Err(StartError::KeyReused(_)) => {}
            Err(error) => return Err(Failure::new("retention_not_started", error.to_string())),
        }
        Ok(())
    }
}

impl RetentionTimer {
    /// Only what knows no registry says so for good; what cannot be reached is the run's matter.
    async fn has_registry(&self) -> bool {
        let answer = self.upgrade.store.login_server().await;
        !matches!(answer, Err(PhaseError::Fatal(failure)) if failure.code == "registry_unset")
    }
}

fn told(error: StoreError) -> Failure {
    Failure::new("storage_unavailable", error.to_string())
}

/// A run that was never queued was none.
fn is_of(run: &Run, date: &str) -> bool {
    let queued = run.failure.as_ref().is_none_or(|failure| failure.code != NOT_QUEUED);
    queued && run.input.get("date").and_then(serde_json::Value::as_str) == Some(date)
}

/// The images of the newest upgrade that succeeded.
async fn newest(engine: &Engine) -> Result<Vec<String>, StoreError> {
    let runs = engine.list(UPGRADE.name, None, LOOKED_AT).await?.runs;
    let succeeded =
        |run: &&Run| matches!(run.progress, Progress::Ended { end: End::Completed(Verdict::Succeeded), .. });
    let Some(run) = runs.iter().find(succeeded) else { return Ok(Vec::new()) };
    let state: UpgradeState = serde_json::from_value(run.state.clone()).unwrap_or_default();
    let images = state.builds.into_values().flat_map(|build| {
        let repository = build.image.split(':').next().unwrap_or_default().to_owned();
        let by_digest = build.digest.map(|digest| format!("{repository}@{digest}"));
        [Some(build.image), by_digest]
    });
    Ok(images.flatten().collect())
}
