//! Phase `rolling-out`: the new template goes into the app, and the revision that it makes is watched until it is ready.
//!
//! The step into this phase is committed before the app is touched. The revision bears the run's name, so a change whose
//! answer was lost is found and not sent again. What fails once the app may have changed goes back in `rolling-back`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::apply::{CHANGED, Wanted, Way, apply};
use super::judge::{Health, judge};
use super::patching::LOG;
use super::snapshot::Snapshot;
use super::state::{Rollout, Strategy};
use super::{finish, rolling_back, template, watch};
use crate::azure::container_apps::{AppState, ContainerApp};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::model::Failure;
use crate::pipelines::upgrade::{Upgrade, UpgradeState};

pub struct RollingOut {
    pub upgrade: Arc<Upgrade>,
}

#[async_trait]
impl Phase for RollingOut {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let mut state: UpgradeState = ctx.state()?;
        state.progress = state.progress.max(95);
        rolling_back::heed(ctx)?;
        let rollout = rollout(&state)?.clone();
        let way = self.bring_in(ctx, &mut state, &rollout).await?;
        let (app, hint) = match way {
            Way::There(app) => (app, None),
            Way::Going { app, after } => (app, after),
        };
        let health = self.look(ctx, &mut state, &app).await?;
        ctx.set_state(&state)?;
        match health {
            Health::Ready => {
                ctx.log(LOG, &format!("revision {} is ready", rollout.revision));
                self.ready(ctx, state).await
            }
            Health::Waiting(what) | Health::Sick { what, .. } => {
                let after = self.upgrade.rollout.poll.max(hint.unwrap_or_default());
                Ok(Outcome::Wait { after, reason: what })
            }
        }
    }

    fn heeds(&self) -> &'static [&'static str] {
        &[rolling_back::SIGNAL]
    }

    /// Success is looked for before the time-out, unless there is nothing yet that could have succeeded.
    fn looks_once_more(&self, ctx: &PhaseContext) -> bool {
        let state: Result<UpgradeState, _> = ctx.state();
        state.is_ok_and(|state| state.rollout.is_some_and(|rollout| rollout.change.accepted_at.is_some()))
    }

    /// A rollout that has changed nothing leaves the way back that there was.
    async fn abandon(&self, ctx: &mut PhaseContext) -> Result<(), PhaseError> {
        let state: UpgradeState = ctx.state()?;
        match state.rollout.is_some_and(|rollout| rollout.change.sent_at.is_none()) {
            true => Snapshot::give_back(ctx).await,
            false => Ok(()),
        }
    }

    fn fallback(&self, ctx: &PhaseContext, why: &Failure) -> Option<&'static str> {
        let state: UpgradeState = ctx.state().ok()?;
        let touched = state.rollout.as_ref().is_some_and(|rollout| rollout.change.sent_at.is_some());
        (touched && self.upgrade.goes_back(why)).then_some(rolling_back::NAME)
    }
}

impl RollingOut {
    async fn bring_in(
        &self,
        ctx: &mut PhaseContext,
        state: &mut UpgradeState,
        rollout: &Rollout,
    ) -> Result<Way, PhaseError> {
        let upgrade = Arc::clone(&self.upgrade);
        let body = |app: &ContainerApp| body(&upgrade, app, rollout);
        let wanted = Wanted {
            change: |state| state.rollout.as_mut().map(|rollout| &mut rollout.change),
            is_in: &|app| app.revision_suffix.as_deref() == Some(rollout.suffix.as_str()),
            body: &body,
            what: "the change of the app's template",
        };
        let first = rollout.change.accepted_at.is_none();
        let way = apply(ctx, self.upgrade.apps.as_ref(), state, &wanted).await?;
        if first {
            ctx.log(LOG, &format!("the app has taken the template of revision {}", rollout.revision));
        }
        Ok(way)
    }

    /// The revision's health; too long a sickness and too long a wait are failures.
    async fn look(
        &self,
        ctx: &mut PhaseContext,
        state: &mut UpgradeState,
        app: &ContainerApp,
    ) -> Result<Health, PhaseError> {
        let (apps, settings) = (self.upgrade.apps.as_ref(), &self.upgrade.rollout);
        let now = ctx.now();
        let rollout = state.rollout.as_mut().ok_or_else(lost)?;
        let revision = apps.revision(&rollout.revision).await?;
        let mut health = match rollout.strategy {
            Strategy::BlueGreen => watch::unoffered(revision.as_ref(), &rollout.revision, rollout.min_replicas),
            _ => judge(app, revision.as_ref(), &rollout.revision, rollout.min_replicas),
        };
        let refused = matches!(app.provisioning_state, AppState::Failed | AppState::Canceled);
        if refused && revision.is_none() {
            let what = format!(
                "the platform did not make revision {}: the app is {:?}",
                rollout.revision, app.provisioning_state
            );
            health = Health::Sick { code: "update_failed", what, lasting: true };
        }
        // Before anything is said of time: what is ready in the last moment is ready.
        if health == Health::Ready {
            (rollout.sick_since, rollout.ready_at) = (None, rollout.ready_at.or(Some(now)));
            return Ok(health);
        }
        let began = rollout.change.accepted_at.unwrap_or(now);
        let patience = watch::Patience { began, limit: settings.rollout, grace: settings.grace };
        match watch::outlasted(&health, &mut rollout.sick_since, now, &patience) {
            Some(failure) => Err(watch::failed(ctx, apps, &rollout.revision, failure, LOG).await),
            None => Ok(health),
        }
    }

    async fn ready(&self, ctx: &mut PhaseContext, state: UpgradeState) -> Result<Outcome, PhaseError> {
        match rollout(&state)?.strategy {
            Strategy::BlueGreen => Ok(Outcome::Next),
            Strategy::InPlace | Strategy::BuildOnly => finish::succeeded(ctx, &self.upgrade, &state).await,
        }
    }
}

/// The whole template with the new images; of an app in multiple revision mode, all traffic stays where it is.
fn body(upgrade: &Upgrade, app: &ContainerApp, rollout: &Rollout) -> Result<Value, PhaseError> {
    if app.latest_revision != rollout.base_revision {
        let message = format!(
            "the app has revision {} that this upgrade knows nothing of, so somebody else has changed it; nothing was done: \
             start again once the app is left alone",
            app.latest_revision.as_deref().unwrap_or("(none)")
        );
        return Err(PhaseError::fatal(CHANGED, message));
    }
    let mut target = template::kept(&app.template);
    template::set_images(&mut target, &rollout.images);
    let mut properties = json!({"template": template::change(&app.template, &target, &rollout.suffix)});
    if rollout.strategy == Strategy::BlueGreen
        && let Some(properties) = properties.as_object_mut()
    {
        let latest = app.latest_ready_revision.as_deref().unwrap_or(&rollout.from_revision);
        let traffic = watch::pinned(&app.traffic, latest);
        properties.insert("configuration".to_owned(), json!({"ingress": {"traffic": traffic}}));
    }
    Ok(upgrade.change_of(app, properties))
}

pub(super) fn rollout(state: &UpgradeState) -> Result<&Rollout, PhaseError> {
    state.rollout.as_ref().ok_or_else(lost)
}

pub(super) fn lost() -> PhaseError {
    PhaseError::fatal("rollout_lost", "the run does not know what it was to roll out; start the upgrade again")
}
