//! Phase `patching`: everything that must be certain and stored before the app is touched.
//!
//! Leaves the snapshot in the scope's documents and the intended revision in the state, in one transaction with the
//! step to `rolling-out`. Changes nothing outside; a second call looks at the world again.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::snapshot::{SNAPSHOT, Snapshot, SnapshotImage};
use super::state::{Rollout, Strategy};
use super::{conceal, plan, suffix, template, watch};
use crate::azure::container_apps::{ContainerApp, RevisionMode, TrafficWeight};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::pipelines::upgrade::{Upgrade, UpgradeInput, UpgradeState};

pub struct Patching {
    pub upgrade: Arc<Upgrade>,
}

/// The log that tells of the rollout, and of the way back.
pub const LOG: &str = "rollout";

#[async_trait]
impl Phase for Patching {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let input: UpgradeInput = ctx.input()?;
        let mut state: UpgradeState = ctx.state()?;
        let upgrade = &self.upgrade;
        let app = upgrade.apps.app().await?;
        let registry = upgrade.store.login_server().await?;
        let asked = upgrade.asked(&input)?;
        self.refuse_if_unapproved(&state)?;
        let former = former(ctx).await?;
        let current = Box::pin(upgrade.version_of(&app, &registry, former.as_ref())).await?;
        self.refuse_if_moved(&app, &registry, current.as_deref(), &input, &state)?;
        self.expect_images(&input, &state).await?;

        let target = template::retargeted(&app.template, &upgrade.components, &registry, &input.tag());
        let suffix = suffix::forward(upgrade.apps.name(), &input.target_version, &ctx.run().id);
        let revision = suffix::revision(upgrade.apps.name(), &suffix);
        let snapshot = self.snapshot(ctx, &app, &registry, &state, &input, &revision, asked.strategy, former).await?;
        for (container, image) in template::images(&target) {
            ctx.log(LOG, &format!("container {container} is to run {image}"));
        }
        ctx.log(LOG, &format!("revision {revision} is to follow {}", snapshot.revision));
        state.rollout = Some(Rollout {
            strategy: asked.strategy,
            from_version: snapshot.version.clone(),
            from_revision: snapshot.revision.clone(),
            base_revision: app.latest_revision.clone(),
            suffix,
            revision,
            images: template::images(&target),
            min_replicas: template::min_replicas(&target),
            change: Default::default(),
            sick_since: None,
            ready_at: None,
            flip: Default::default(),
            validation: None,
        });
        state.rollback = None;
        state.progress = state.progress.max(90);
        ctx.set_document(SNAPSHOT, &snapshot)?;
        ctx.set_state(&state)?;
        Ok(Outcome::Next)
    }
}

impl Patching {
    /// What was agreed to is what is done: to the plan that the start named, and to the one that was approved.
    fn refuse_if_moved(
        &self,
        app: &ContainerApp,
        registry: &str,
        current: Option<&str>,
        input: &UpgradeInput,
        state: &UpgradeState,
    ) -> Result<(), PhaseError> {
        let asked = self.upgrade.asked(input)?;
        let objections = plan::objections(&self.upgrade.components, registry, app, current, &asked);
        if let Some(first) = objections.into_iter().next() {
            return Err(PhaseError::fatal(first.code, first.message));
        }
        let commit = state.commit.as_deref().unwrap_or_default();
        let hash = plan::hash(Some(app), &input.target_version, commit, asked.strategy);
        let approved = state.approval.as_ref().map(|approval| &approval.plan_hash);
        let planned = input.plan_hash.as_ref().filter(|_| !state.replans);
        if planned.into_iter().chain(approved).any(|agreed| *agreed != hash) {
            return Err(plan::outdated());
        }
        Ok(())
    }

    /// The setting may be younger than the run.
    fn refuse_if_unapproved(&self, state: &UpgradeState) -> Result<(), PhaseError> {
        let approved = state.approval.as_ref().is_some_and(|approval| approval.approved_by.is_some());
        if self.upgrade.rollout.approval.is_none() || approved {
            return Ok(());
        }
        let message = "nobody has approved the plan, and somebody has to since UPGRADE_APPROVAL is set; nothing was \
                       changed: start the upgrade again";
        Err(PhaseError::fatal("approval_missing", message))
    }

    /// The registry may have lost an image since it was built, and a revision without its image is an outage.
    /// Where somebody has agreed, it is to what was built.
    async fn expect_images(&self, input: &UpgradeInput, state: &UpgradeState) -> Result<(), PhaseError> {
        let agreed = state.approval.as_ref().is_some_and(|approval| approval.approved_by.is_some());
        for component in &self.upgrade.components {
            let found = self.upgrade.store.digest(&component.image, &input.tag()).await?;
            let built = state.builds.get(&component.name).and_then(|build| build.digest.as_ref());
            if agreed && built.is_some() && found.is_some() && built != found.as_ref() {
                let message = format!(
                    "{}:{} is not the image that was built and approved: somebody has pushed another under its tag; nothing \
                     was changed: start again",
                    component.image,
                    input.tag()
                );
                return Err(PhaseError::fatal("image_changed", message));
            }
            if found.is_none() {
                let message = format!(
                    "the registry does not have {}:{}, which this upgrade has built; look for what deletes images there, \
                     then start again",
                    component.image,
                    input.tag()
                );
                return Err(PhaseError::fatal("image_missing", message));
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "a snapshot is of everything that is known at this moment")]
    async fn snapshot(
        &self,
        ctx: &mut PhaseContext,
        app: &ContainerApp,
        registry: &str,
        state: &UpgradeState,
        input: &UpgradeInput,
        revision: &str,
        strategy: Strategy,
        known: Option<Snapshot>,
    ) -> Result<Snapshot, PhaseError> {
        let kept = |found: &&Snapshot| state.keeps_snapshot_of.as_ref() == Some(&found.job_id);
        let earlier = known.as_ref().filter(kept).cloned();
        let (subscription_id, resource_group) = self.upgrade.apps.place();
        let taken_at = ctx.now();
        let served = serving(app)?;
        let template = self.template_of(app, &served).await?;
        let version = match template::version(&template, &self.upgrade.components, registry) {
            None if app.latest_revision.as_deref() == Some(served.as_str()) => {
                Box::pin(self.upgrade.version_of(app, registry, known.as_ref())).await?
            }
            told => told,
        };
        let fresh = Snapshot {
            job_id: ctx.run().id.clone(),
            taken_at,
            app: self.upgrade.apps.name().to_owned(),
            subscription_id: subscription_id.to_owned(),
            resource_group: resource_group.to_owned(),
            revision: served,
            version,
            template: conceal::concealed(&template::kept(&template)),
            images: BTreeMap::new(),
            strategy,
            traffic: serde_json::to_value(pinned(app)).unwrap_or_default(),
            target_revision: revision.to_owned(),
            target_version: input.target_version.clone(),
            available_until: taken_at + self.upgrade.rollout.rollback_window,
            rolled_back_at: None,
            former: known.map(|known| Box::new(Snapshot { former: None, ..known })),
        };
        if let Some(earlier) = earlier {
            // What failed before this retry is still in the app: the way back leads past it.
            return Ok(Snapshot {
                job_id: fresh.job_id,
                strategy,
                target_revision: fresh.target_revision,
                target_version: fresh.target_version,
                available_until: fresh.available_until,
                ..earlier
            });
        }
        let mut images = BTreeMap::new();
        for (container, image) in template::images(&template) {
            let digest = self.upgrade.digest(&image, registry).await?;
            images.insert(container, SnapshotImage { image, digest });
        }
        Ok(Snapshot { images, ..fresh })
    }

    /// What the revision that serves runs. The app's own template is the newest revision's, which may never have become
    /// ready: that is nothing to go back to.
    async fn template_of(&self, app: &ContainerApp, serving: &str) -> Result<Value, PhaseError> {
        let mut template = app.template.clone();
        if app.latest_revision.as_deref() != Some(serving) {
            let revision = self.upgrade.apps.revision(serving).await?.ok_or_else(|| {
                let message =
                    format!("the app has no revision {serving}, to which its users go; look at it, then start again");
                PhaseError::fatal("app_changed", message)
            })?;
            let images = revision.images.into_iter().map(|image| (image.container, image.image)).collect();
            template::set_images(&mut template, &images);
        }
        Ok(template)
    }
}

/// The snapshot that there is. One that cannot be read is no reason not to take a better one.
async fn former(ctx: &mut PhaseContext) -> Result<Option<Snapshot>, PhaseError> {
    match ctx.document(SNAPSHOT).await {
        Err(PhaseError::Fatal(failure)) => {
            ctx.log(LOG, &format!("the snapshot of the upgrade before cannot be read: {failure}"));
            Ok(None)
        }
        found => found,
    }
}

/// The traffic by the names of revisions.
fn pinned(app: &ContainerApp) -> Vec<TrafficWeight> {
    app.latest_ready_revision.as_deref().map(|latest| watch::pinned(&app.traffic, latest)).unwrap_or_default()
}

/// The revision that most of the platform's users reach.
fn serving(app: &ContainerApp) -> Result<String, PhaseError> {
    let weighted = pinned(app).into_iter().filter(|entry| entry.weight > 0);
    let heaviest = weighted.max_by_key(|entry| entry.weight).and_then(|entry| entry.revision_name);
    let multiple = app.mode == RevisionMode::Multiple;
    heaviest.filter(|_| multiple).or_else(|| app.latest_ready_revision.clone()).ok_or_else(|| {
        PhaseError::fatal(
            "app_never_ready",
            "the app has no revision that was ever ready, so there would be no way back; bring it up by hand first",
        )
    })
}
