//! Phase `building`: one image for each component, all at the same time.
//!
//! State: [`UpgradeState`]. Leaves in it: image and digest of each component.
//! Each build's id is checkpointed before the build is waited for. A build whose id was lost with its worker is
//! scheduled again: the registry does not tell what a run builds before it has succeeded, so it cannot be found. Both
//! builds make an image of the same commit under the same tag; whichever ends last has it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use serde_json::json;

use super::ports::BuildOrder;
use super::rollout::Strategy;
use super::{Build, BuildStatus, Upgrade, UpgradeInput, UpgradeState, build, rollout, steps};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::model::{Failure, Verdict};

pub struct Building {
    pub upgrade: Arc<Upgrade>,
}

#[async_trait]
impl Phase for Building {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let mut state: UpgradeState = ctx.state()?;
        let input: UpgradeInput = ctx.input()?;
        if state.builds.values().any(|build| build.run_id.is_none()) {
            self.schedule(ctx, &input, &mut state).await?;
        }
        let now = ctx.now();
        let looks = join_all(
            state
                .builds
                .iter_mut()
                .map(|(name, build)| async { build::look(self.upgrade.images.as_ref(), now, name, build).await }),
        )
        .await;
        for (log, lines) in looks.iter().flat_map(|look| &look.lines) {
            ctx.log(log, lines);
        }
        state.progress = state.progress.max(steps::progress(&state));
        ctx.set_state(&state)?;
        if let Some((name, build)) = failed(&state) {
            // The end of a run waits for nothing, so the lines that tell why are brought home first.
            ctx.checkpoint().await?;
            return Err(PhaseError::Fatal(failure(name, build)));
        }
        let behind = looks.iter().any(|look| look.behind);
        if let Some(error) = looks.into_iter().find_map(|look| look.error) {
            return Err(error);
        }
        if state.builds.values().all(Build::is_done) {
            return self.go_on(&input, &state);
        }
        let ending = behind || state.builds.values().any(|build| build.status.is_ended() && !build.is_done());
        let after = if ending { self.upgrade.poll } else { self.pause(ctx) };
        Ok(Outcome::Wait { after, reason: waiting_for(&state) })
    }

    /// Stops the builds that still run: a failed or cancelled upgrade needs none of them.
    async fn abandon(&self, ctx: &mut PhaseContext) -> Result<(), PhaseError> {
        let mut state: UpgradeState = ctx.state()?;
        let stopped = join_all(state.builds.values_mut().map(|build| async {
            let Some(id) = build.run_id.clone().filter(|_| !build.status.is_ended()) else { return Ok(()) };
            self.stop(&id).await?;
            build.status = BuildStatus::Cancelled;
            Ok(())
        }))
        .await;
        ctx.set_state(&state)?;
        stopped.into_iter().collect()
    }
}

impl Building {
    /// Somebody has to agree, or nobody has; or the images were all that was wanted.
    fn go_on(&self, input: &UpgradeInput, state: &UpgradeState) -> Result<Outcome, PhaseError> {
        if self.upgrade.asked(input)?.strategy == Strategy::BuildOnly {
            return Ok(Outcome::Done { verdict: Verdict::Succeeded, output: rollout::output(state) });
        }
        Ok(Outcome::Enter(if self.upgrade.rollout.approval.is_some() { "approving" } else { "patching" }))
    }

    async fn schedule(
        &self,
        ctx: &mut PhaseContext,
        input: &UpgradeInput,
        state: &mut UpgradeState,
    ) -> Result<(), PhaseError> {
        let mut orders = Vec::new();
        for (name, build) in state.builds.iter().filter(|(_, build)| build.run_id.is_none()) {
            let source = state.sources.get(&build.context).cloned().ok_or_else(|| {
                PhaseError::fatal("source_lost", "the run does not know where its build context is; start again")
            })?;
            let order = BuildOrder {
                source,
                dockerfile: build.dockerfile.clone(),
                image: build.image.clone(),
                arguments: vec![("APP_VERSION".to_owned(), input.target_version.clone())],
            };
            orders.push((name.clone(), order));
        }
        let images = self.upgrade.images.as_ref();
        let mut answers: FuturesUnordered<_> =
            orders.iter().map(|(name, order)| async move { (name, images.schedule(order).await) }).collect();
        let mut trouble = None;
        while let Some((name, answer)) = answers.next().await {
            match (answer, state.builds.get_mut(name)) {
                (Ok(id), Some(build)) => {
                    build.run_id = Some(id);
                    build.status = BuildStatus::Queued;
                    state.progress = steps::progress(state);
                    // At once: this delivery may be cut off while it waits for the others.
                    ctx.set_state(state)?;
                }
                (Ok(_), None) => {}
                (Err(error), _) => trouble = trouble.or(Some(error)),
            }
        }
        // Ids first, troubles second: a build that was begun must not be forgotten because its neighbour was refused.
        ctx.checkpoint().await?;
        trouble.map_or(Ok(()), Err)
    }

    /// A run that ends comes back for nothing, so a builder that is out of order for a moment is asked again right now.
    async fn stop(&self, id: &str) -> Result<(), PhaseError> {
        const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
        for pause in PAUSES {
            match self.upgrade.images.cancel(id).await {
                Err(PhaseError::Retryable { .. }) => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
        self.upgrade.images.cancel(id).await
    }

    /// Short while the builds are young, longer as they age: a look costs money and a person watches the beginning.
    /// A build that has ended is waited for no longer than it has to be.
    fn pause(&self, ctx: &PhaseContext) -> Duration {
        let age = ctx.now().since(ctx.run().phase_entered_at);
        let factor = match age.as_secs() {
            0..30 => 1,
            30..180 => 3,
            _ => 8,
        };
        self.upgrade.poll * factor
    }
}

/// A build that failed by itself before one that was cancelled: a worker that died over the end of this run may have
/// cancelled it.
fn failed(state: &UpgradeState) -> Option<(&String, &Build)> {
    let all = || state.builds.iter().filter(|(_, build)| build.has_failed());
    all().find(|(_, build)| build.status == BuildStatus::Failed).or_else(|| all().next())
}

fn waiting_for(state: &UpgradeState) -> String {
    let names: Vec<&str> =
        state.builds.iter().filter(|(_, build)| !build.is_done()).map(|(name, _)| name.as_str()).collect();
    format!("building {}", names.join(", "))
}

fn failure(name: &str, build: &Build) -> Failure {
    let reason = build.error.as_deref().unwrap_or("the registry gave no reason");
    let cancelled = build.status == BuildStatus::Cancelled;
    let (code, what) = if cancelled { ("build_cancelled", "was cancelled") } else { ("build_failed", "failed") };
    let message = format!(
        "the build of component {name} ({}) {what}: {reason}. The whole log is build-{name}; mend the cause and \
         start again with a new version",
        build.image
    );
    Failure::new(code, message).with_detail(json!({
        "component": name,
        "image": build.image,
        "run_id": build.run_id,
        "last_lines": build.last_lines,
    }))
}
