//! The two ways in which the platform becomes what it was: the old template in a new revision, or the traffic back to the
//! old one.

use std::sync::Arc;

use serde_json::json;

use super::apply::{Wanted, Way, apply};
use super::judge::{Health, judge};
use super::patching::LOG;
use super::snapshot::Snapshot;
use super::state::Return;
use super::{conceal, template, watch};
use crate::azure::container_apps::{ContainerApp, TrafficWeight};
use crate::engine::PhaseError;
use crate::engine::context::PhaseContext;
use crate::pipelines::upgrade::{Upgrade, UpgradeState};

/// One step on the way back: each looks first, and may be taken again.
pub(super) struct Returning<'a> {
    pub(super) upgrade: &'a Arc<Upgrade>,
}

impl Returning<'_> {
    pub(super) async fn template_back(
        &self,
        ctx: &mut PhaseContext,
        state: &mut UpgradeState,
        snapshot: &Snapshot,
    ) -> Result<Health, PhaseError> {
        let back = back(state)?.clone();
        let suffix = back.suffix.clone().unwrap_or_default();
        let upgrade = Arc::clone(self.upgrade);
        let body = |app: &ContainerApp| {
            let mut target = match back.images_alone {
                true => template::kept(&app.template),
                false => conceal::revealed(&snapshot.template, &[&app.template]).map_err(|place| unrevealed(&place))?,
            };
            template::set_images(&mut target, &back.images);
            Ok(upgrade.change_of(app, json!({"template": template::change(&app.template, &target, &suffix)})))
        };
        let wanted = Wanted {
            change: |state| state.rollback.as_mut().map(|back| &mut back.change),
            is_in: &|app| app.revision_suffix.as_deref() == Some(suffix.as_str()),
            body: &body,
            what: "the return of the old template",
        };
        let app = match apply(ctx, self.upgrade.apps.as_ref(), state, &wanted).await? {
            Way::There(app) | Way::Going { app, .. } => app,
        };
        let revision = self.upgrade.apps.revision(&back.revision).await?;
        let health = judge(&app, revision.as_ref(), &back.revision, back.min_replicas);
        self.patiently(ctx, state, health).await
    }

    pub(super) async fn traffic_back(
        &self,
        ctx: &mut PhaseContext,
        state: &mut UpgradeState,
        snapshot: &Snapshot,
    ) -> Result<Health, PhaseError> {
        let apps = self.upgrade.apps.as_ref();
        let back = back(state)?.clone();
        let Some(revision) = apps.revision(&snapshot.revision).await? else {
            let message = format!(
                "revision {} is no longer kept by the app, so traffic cannot go back to it; start an upgrade to its version \
                 with allow_downgrade, or copy a revision by hand (GET /api/upgrade/escape-hatch)",
                snapshot.revision
            );
            return Err(PhaseError::fatal("rollback_revision_missing", message));
        };
        let target = self.table(ctx, snapshot).await?;
        if !revision.active {
            apps.activate(&snapshot.revision).await?;
            ctx.log(LOG, &format!("revision {} is started again", snapshot.revision));
            return Ok(Health::Waiting(format!("revision {} to start again", snapshot.revision)));
        }
        let health = watch::unoffered(Some(&revision), &snapshot.revision, back.min_replicas);
        if health != Health::Ready {
            return self.patiently(ctx, state, health).await;
        }
        let upgrade = Arc::clone(self.upgrade);
        let body = |app: &ContainerApp| Ok(upgrade.change_of(app, watch::configuration(&target)));
        let wanted = Wanted {
            change: |state| state.rollback.as_mut().map(|back| &mut back.change),
            is_in: &|app| watch::same(&app.traffic, &target),
            body: &body,
            what: "the return of the traffic",
        };
        match apply(ctx, apps, state, &wanted).await? {
            Way::Going { .. } => Ok(Health::Waiting("the traffic to go back".to_owned())),
            Way::There(_) => {
                self.stop(ctx, &snapshot.target_revision).await;
                Ok(Health::Ready)
            }
        }
    }

    /// Who gets which share. The revisions beside the one that served are started again; the share of one that is no longer
    /// kept goes to that one.
    async fn table(&self, ctx: &mut PhaseContext, snapshot: &Snapshot) -> Result<Vec<TrafficWeight>, PhaseError> {
        let apps = self.upgrade.apps.as_ref();
        let old: Vec<TrafficWeight> = serde_json::from_value(snapshot.traffic.clone()).unwrap_or_default();
        let mut table = watch::pinned(&old, &snapshot.revision);
        for entry in &mut table {
            let Some(name) = entry.revision_name.clone().filter(|name| *name != snapshot.revision) else { continue };
            match apps.revision(&name).await? {
                Some(revision) if revision.active => {}
                Some(_) if entry.weight == 0 => {}
                Some(_) => {
                    apps.activate(&name).await?;
                    ctx.log(LOG, &format!("revision {name} is started again"));
                }
                None => {
                    ctx.log(
                        LOG,
                        &format!("revision {name} is no longer kept; its traffic goes to {}", snapshot.revision),
                    );
                    entry.revision_name = Some(snapshot.revision.clone());
                    entry.label = None;
                }
            }
        }
        Ok(watch::merged(table))
    }

    /// A revision without traffic costs money; that it could not be stopped is no reason to fail.
    async fn stop(&self, ctx: &mut PhaseContext, revision: &str) {
        let apps = self.upgrade.apps.as_ref();
        let stopped = match apps.revision(revision).await {
            Ok(Some(found)) if found.active => apps.deactivate(revision).await,
            Ok(_) => return,
            Err(error) => Err(error),
        };
        match stopped {
            Ok(()) => ctx.log(LOG, &format!("revision {revision} is stopped")),
            Err(error) => ctx.log(LOG, &format!("revision {revision} could not be stopped: {error}")),
        }
    }

    async fn patiently(
        &self,
        ctx: &mut PhaseContext,
        state: &mut UpgradeState,
        health: Health,
    ) -> Result<Health, PhaseError> {
        let settings = &self.upgrade.rollout;
        let (now, entered) = (ctx.now(), ctx.run().phase_entered_at);
        let back = state.rollback.as_mut().ok_or_else(lost)?;
        let began = back.change.accepted_at.unwrap_or(entered);
        let patience = watch::Patience { began, limit: settings.rollout, grace: settings.grace };
        match watch::outlasted(&health, &mut back.sick_since, now, &patience) {
            Some(failure) => {
                let revision = back.revision.clone();
                Err(watch::failed(ctx, self.upgrade.apps.as_ref(), &revision, failure, LOG).await)
            }
            None => Ok(health),
        }
    }
}

pub(super) fn back(state: &UpgradeState) -> Result<&Return, PhaseError> {
    state.rollback.as_ref().ok_or_else(lost)
}

fn lost() -> PhaseError {
    PhaseError::fatal("rollback_lost", "the run does not know what it was to go back to; roll back again")
}

fn unrevealed(place: &str) -> PhaseError {
    let message = format!(
        "{place} looked like a secret, so it was not stored, and the app does not have it any more: give it back to the app \
         as a secret reference, then roll back again"
    );
    PhaseError::fatal("snapshot_incomplete", message)
}
