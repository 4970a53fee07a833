//! Phase `fetching`: from a version to a build context that the registry holds.
//!
//! Input: [`UpgradeInput`]. Leaves in the state: the commit, the builder's name of each context,
//! one build for each component.
//! A second call fetches and uploads again; the copy before it is forgotten and expires at the registry. Nothing else
//! outside is changed. The workspace lives no longer than the delivery.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::container_apps::APP_UNSET;
use super::ports::Prepared;
use super::rollout::{Strategy, plan};
use super::{Build, BuildStatus, Upgrade, UpgradeInput, UpgradeState};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};

pub struct Fetching {
    pub upgrade: Arc<Upgrade>,
}

/// The log that tells of the fetch.
const LOG: &str = "fetch";
/// What the fetch leaves of a delivery for the upload.
const UPLOAD_SHARE: Duration = Duration::from_secs(60);

#[async_trait]
impl Phase for Fetching {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let input: UpgradeInput = ctx.input()?;
        let asked = self.upgrade.asked(&input)?;
        let wants_an_app = asked.strategy != Strategy::BuildOnly && self.upgrade.source.address().is_some();
        if wants_an_app && !self.upgrade.apps.is_configured() {
            // Half an hour of building would not bring it about.
            return Err(PhaseError::fatal("app_unset", APP_UNSET));
        }
        let job = ctx.run().id.to_string();
        let within = ctx.deadline().since(ctx.now()).saturating_sub(UPLOAD_SHARE);
        let components = &self.upgrade.components;
        let prepared = self.upgrade.source.prepare(&job, &input.tag(), components, within).await;
        let handed_over = match prepared {
            Ok(prepared) => self.hand_over(ctx, &input, prepared).await,
            Err(error) => Err(error),
        };
        // Whatever happened, the sources do not stay on this machine.
        let discarded = self.upgrade.source.discard(&job).await;
        handed_over?;
        discarded?;
        Ok(Outcome::Next)
    }

    async fn abandon(&self, ctx: &mut PhaseContext) -> Result<(), PhaseError> {
        self.upgrade.source.discard(&ctx.run().id.to_string()).await
    }
}

impl Fetching {
    async fn hand_over(
        &self,
        ctx: &mut PhaseContext,
        input: &UpgradeInput,
        prepared: Prepared,
    ) -> Result<(), PhaseError> {
        let tag = input.tag();
        if let Some(sha) = &input.target_sha
            && !prepared.commit.starts_with(&sha.to_ascii_lowercase())
        {
            return Err(PhaseError::fatal(
                "sha_mismatch",
                format!(
                    "tag {tag} points to commit {}, not to {sha}; either the tag was moved or target_sha is that of \
                     another version: check the tag, then start again",
                    prepared.commit
                ),
            ));
        }
        let strategy = self.upgrade.asked(input)?.strategy;
        let planned = input.plan_hash.as_ref().filter(|_| strategy == Strategy::BuildOnly);
        if planned.is_some_and(|hash| *hash != plan::hash(None, &input.target_version, &prepared.commit, strategy)) {
            // Where an app is part of the plan, it is looked at as late as possible.
            return Err(plan::outdated());
        }
        let mut state: UpgradeState = ctx.state()?;
        // Images that a retry keeps are of one commit, and so are those that are built beside them.
        let moved = state.commit.as_ref().is_some_and(|commit| *commit != prepared.commit);
        if moved && state.builds.values().any(|build| build.status == BuildStatus::Succeeded) {
            return Err(PhaseError::fatal(
                "tag_moved",
                format!(
                    "tag {tag} points to commit {} and pointed to {} when the finished images were built; start the \
                     upgrade again to build all of them",
                    prepared.commit,
                    state.commit.as_deref().unwrap_or_default()
                ),
            ));
        }
        state.commit = Some(prepared.commit.clone());
        state.progress = state.progress.max(20);
        ctx.log(LOG, &format!("fetched {tag} at commit {}", prepared.commit));
        state.builds.retain(|_, build| build.status == BuildStatus::Succeeded);
        state.uploaded_at = Some(ctx.now());
        for context in &prepared.contexts {
            let source = self.upgrade.images.upload(context).await?;
            let shown = if context.context.is_empty() { "the repository" } else { &context.context };
            ctx.log(LOG, &format!("uploaded {shown} as a build context of {} bytes", context.bytes));
            state.sources.insert(context.context.clone(), source);
            for (name, dockerfile) in &context.dockerfiles {
                let Some(component) = self.upgrade.components.iter().find(|known| known.name == *name) else {
                    continue;
                };
                let image = format!("{}:{tag}", component.image);
                let waiting = || Build::waiting(image, dockerfile.clone(), context.context.clone());
                state.builds.entry(name.clone()).or_insert_with(waiting);
            }
        }
        ctx.set_state(&state)
    }
}
