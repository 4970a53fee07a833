//! Phase `confirming`: the new revision gets all traffic and is watched under it.
//!
//! The step into this phase is committed before the traffic is moved; where the traffic goes tells whether it was. A
//! revision that falls sick under traffic goes back by the phase `rolling-back`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::apply::{Wanted, Way, apply};
use super::judge::Health;
use super::patching::LOG;
use super::rolling_out::{lost, rollout};
use super::{finish, rolling_back, watch};
use crate::azure::container_apps::ContainerApp;
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::model::Failure;
use crate::pipelines::upgrade::ports::Ready;
use crate::pipelines::upgrade::{Upgrade, UpgradeState};

pub struct Confirming {
    pub upgrade: Arc<Upgrade>,
}

#[async_trait]
impl Phase for Confirming {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let mut state: UpgradeState = ctx.state()?;
        state.progress = state.progress.max(97);
        rolling_back::heed(ctx)?;
        let way = self.flip(ctx, &mut state).await?;
        let flipped = rollout(&state)?.flip.accepted_at;
        if let Way::Going { .. } = way {
            ctx.set_state(&state)?;
            return Ok(Outcome::Wait { after: self.upgrade.rollout.poll, reason: "the traffic to move".to_owned() });
        }
        self.expect_well(ctx, &mut state).await?;
        ctx.set_state(&state)?;
        let until = flipped.unwrap_or(ctx.now()) + self.upgrade.rollout.confirm;
        let left = until.since(ctx.now());
        if left.is_zero() && rollout(&state)?.sick_since.is_none() {
            ctx.log(LOG, "the new revision is well under traffic");
            return finish::succeeded(ctx, &self.upgrade, &state).await;
        }
        let reason = "the new revision to stay well under traffic".to_owned();
        let poll = self.upgrade.rollout.poll;
        Ok(Outcome::Wait { after: if left.is_zero() { poll } else { left.min(poll) }, reason })
    }

    fn heeds(&self) -> &'static [&'static str] {
        &[rolling_back::SIGNAL]
    }

    fn fallback(&self, _: &PhaseContext, why: &Failure) -> Option<&'static str> {
        self.upgrade.goes_back(why).then_some(rolling_back::NAME)
    }
}

impl Confirming {
    async fn flip(&self, ctx: &mut PhaseContext, state: &mut UpgradeState) -> Result<Way, PhaseError> {
        let revision = rollout(state)?.revision.clone();
        let first = rollout(state)?.flip.accepted_at.is_none();
        let upgrade = Arc::clone(&self.upgrade);
        let body = |app: &ContainerApp| -> Result<Value, PhaseError> {
            let latest = app.latest_ready_revision.as_deref().unwrap_or(&revision);
            let traffic = watch::all_to(&watch::pinned(&app.traffic, latest), &revision);
            Ok(upgrade.change_of(app, watch::configuration(&traffic)))
        };
        let wanted = Wanted {
            change: |state| state.rollout.as_mut().map(|rollout| &mut rollout.flip),
            is_in: &|app| watch::goes_all_to(&app.traffic, &revision),
            body: &body,
            what: "the move of the traffic",
        };
        let way = apply(ctx, self.upgrade.apps.as_ref(), state, &wanted).await?;
        if first {
            ctx.log(LOG, &format!("all traffic goes to revision {revision}"));
        }
        Ok(way)
    }

    /// Well by what the platform says and, where it can be asked, by what it answers itself.
    async fn expect_well(&self, ctx: &mut PhaseContext, state: &mut UpgradeState) -> Result<(), PhaseError> {
        let settings = &self.upgrade.rollout;
        let now = ctx.now();
        let rollout = state.rollout.as_mut().ok_or_else(lost)?;
        let revision = self.upgrade.apps.revision(&rollout.revision).await?;
        let mut health = watch::unoffered(revision.as_ref(), &rollout.revision, rollout.min_replicas);
        // One that has proved that it can be reached is sick when it cannot.
        let reachable = rollout.validation.as_ref().is_some_and(|validation| validation.good > 0);
        if let (Health::Ready, Some(revision)) = (&health, &revision) {
            let what = match self.upgrade.readiness.ask(revision).await {
                Some(Ready::No(what)) => Some(format!("answers {what}")),
                Some(Ready::Unknown(what)) if reachable => Some(format!("does not answer: {what}")),
                _ => None,
            };
            if let Some(what) = what {
                let what = format!("revision {} {what}", revision.name);
                health = Health::Sick { code: "revision_unready", what, lasting: false };
            }
        }
        if let Health::Waiting(what) = health {
            health = Health::Sick { code: "revision_unhealthy", what: format!("it waits for {what}"), lasting: false };
        }
        let patience = watch::Patience { began: now, limit: settings.rollout, grace: settings.grace };
        match watch::outlasted(&health, &mut rollout.sick_since, now, &patience) {
            Some(failure) => {
                let name = rollout.revision.clone();
                Err(watch::failed(ctx, self.upgrade.apps.as_ref(), &name, failure, LOG).await)
            }
            None => Ok(()),
        }
    }
}
