//! Phase `rolling-back`: the platform becomes what the snapshot says it was. The last phase of an upgrade that fails, and
//! the only one of a rollback by call.
//!
//! An app in single revision mode gets the old template as a new revision, under a suffix of this run; one in multiple
//! revision mode gets its traffic back to the old revision, which is started again if it was stopped. A second call looks
//! first. Ends with what was found: also that there was nothing to undo.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::judge::Health;
use super::patching::LOG;
use super::preflight::{self, Found};
use super::returning::{Returning, back};
use super::snapshot::{SNAPSHOT, Snapshot};
use super::state::{Return, Strategy, WordSignal};
use super::{conceal, suffix, template};
use crate::azure::container_apps::{ContainerApp, RevisionMode};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::model::Verdict;
use crate::pipelines::upgrade::{Upgrade, UpgradeState};

pub const NAME: &str = "rolling-back";
/// The signal by which a rollout that goes on is asked to go back.
pub const SIGNAL: &str = "rollback";
/// The failure of a rollout that was asked to go back.
pub const REQUESTED: &str = "rollback_requested";
/// A change without an answer is not looked for any longer than this.
const LATEST: Duration = Duration::from_secs(60);

pub struct RollingBack {
    pub upgrade: Arc<Upgrade>,
}

/// Whether somebody has asked the rollout to go back.
pub fn heed(ctx: &PhaseContext) -> Result<(), PhaseError> {
    let Some(told) = ctx.signal(SIGNAL) else { return Ok(()) };
    let told: Option<WordSignal> = serde_json::from_value(told.clone()).ok();
    let reason = told.map(|told| told.reason).filter(|reason| !reason.is_empty());
    let message = format!("somebody asked to go back: {}", reason.as_deref().unwrap_or("no reason was given"));
    Err(PhaseError::fatal(REQUESTED, message))
}

#[async_trait]
impl Phase for RollingBack {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let mut state: UpgradeState = ctx.state()?;
        let snapshot = Snapshot::of(ctx).await?;
        if let Some(wait) = self.unsettled(ctx, &state) {
            return Ok(wait);
        }
        if state.rollback.is_none() {
            let app = self.upgrade.apps.app().await?;
            self.begin(ctx, &mut state, &snapshot, &app).await?;
            ctx.set_state(&state)?;
        }
        if state.rollback.as_ref().is_some_and(|back| back.untouched) {
            return self.done(ctx, state, snapshot).await;
        }
        let returning = Returning { upgrade: &self.upgrade };
        let health = match snapshot.strategy {
            Strategy::BlueGreen => returning.traffic_back(ctx, &mut state, &snapshot).await?,
            Strategy::InPlace | Strategy::BuildOnly => returning.template_back(ctx, &mut state, &snapshot).await?,
        };
        ctx.set_state(&state)?;
        match health {
            Health::Ready => self.done(ctx, state, snapshot).await,
            Health::Waiting(reason) | Health::Sick { what: reason, .. } => {
                Ok(Outcome::Wait { after: self.upgrade.rollout.poll, reason })
            }
        }
    }

    fn is_way_back(&self) -> bool {
        true
    }
}

impl RollingBack {
    /// A change that was sent a moment ago and never answered may still come: of the template, or of the traffic.
    fn unsettled(&self, ctx: &PhaseContext, state: &UpgradeState) -> Option<Outcome> {
        let rollout = state.rollout.as_ref()?;
        let unanswered = [&rollout.change, &rollout.flip].into_iter().filter(|change| change.accepted_at.is_none());
        let until = unanswered.filter_map(|change| change.sent_at).max()? + LATEST;
        let after = until.since(ctx.now());
        let reason = "whether the app takes the change that got no answer".to_owned();
        (!after.is_zero()).then_some(Outcome::Wait { after, reason })
    }

    /// Finds out what there is to undo, and that what is needed for it is still there.
    async fn begin(
        &self,
        ctx: &mut PhaseContext,
        state: &mut UpgradeState,
        snapshot: &Snapshot,
        app: &ContainerApp,
    ) -> Result<(), PhaseError> {
        let in_place = snapshot.strategy != Strategy::BlueGreen;
        expect_mode(app, in_place)?;
        let same = conceal::concealed(&template::kept(&app.template)) == snapshot.template;
        let untouched = in_place && same && app.latest_ready_revision == app.latest_revision;
        let newest = app.latest_revision.as_deref();
        let ours = [Some(snapshot.target_revision.as_str()), Some(snapshot.revision.as_str())].contains(&newest)
            || state.rollout.as_ref().is_some_and(|rollout| rollout.base_revision.as_deref() == newest);
        let mut images = template::images(&snapshot.template);
        if untouched {
            ctx.log(LOG, "the app is as it was: there is nothing to undo");
        } else {
            if in_place {
                self.expect_images(ctx, snapshot, &mut images).await?;
            }
            ctx.log(LOG, &format!("going back to revision {}", snapshot.revision));
        }
        if in_place && !untouched && !ours {
            ctx.log(LOG, "somebody else has changed the app since: that stays, and the images alone go back");
        }
        let version = snapshot.version.clone().unwrap_or_default();
        let suffix = suffix::back(self.upgrade.apps.name(), &version, &ctx.run().id);
        state.rollback = Some(Return {
            job_id: snapshot.job_id.to_string(),
            to_version: snapshot.version.clone(),
            revision: match in_place && !untouched {
                true => suffix::revision(self.upgrade.apps.name(), &suffix),
                false => snapshot.revision.clone(),
            },
            suffix: (in_place && !untouched).then_some(suffix),
            images,
            images_alone: !ours,
            min_replicas: template::min_replicas(&snapshot.template),
            change: Default::default(),
            sick_since: None,
            untouched,
        });
        Ok(())
    }

    /// A registry that cannot tell is no reason to leave a sick revision where it is: the app will find out itself.
    async fn expect_images(
        &self,
        ctx: &mut PhaseContext,
        snapshot: &Snapshot,
        images: &mut BTreeMap<String, String>,
    ) -> Result<(), PhaseError> {
        match preflight::images(&self.upgrade, snapshot).await {
            Err(PhaseError::Fatal(failure)) => {
                ctx.log(LOG, &format!("whether the registry still has the old images is not known: {failure}"));
                Ok(())
            }
            Err(passing) => Err(passing),
            Ok(found) => {
                for (container, found) in found {
                    match found {
                        Found::There(image) => images.insert(container, image),
                        Found::Gone(image) => return Err(preflight::gone(&container, &image)),
                    };
                }
                Ok(())
            }
        }
    }

    async fn done(
        &self,
        ctx: &mut PhaseContext,
        mut state: UpgradeState,
        snapshot: Snapshot,
    ) -> Result<Outcome, PhaseError> {
        let untouched = back(&state)?.untouched && snapshot.job_id == ctx.run().id;
        match untouched {
            // What it took the place of is as good as it was.
            true => Snapshot::give_back(ctx).await?,
            false => {
                let snapshot = Snapshot { rolled_back_at: Some(ctx.now()), former: None, ..snapshot };
                ctx.set_document(SNAPSHOT, &snapshot)?;
            }
        }
        state.progress = 100;
        ctx.set_state(&state)?;
        let back = back(&state)?;
        ctx.log(LOG, &format!("revision {} serves: the platform is what it was", back.revision));
        let output = json!({
            "outcome": "rolled_back",
            "job_id": back.job_id,
            "revision": back.revision,
            "version": back.to_version,
            "images": back.images,
            "untouched": back.untouched,
        });
        // An upgrade that had to go back has not succeeded; a rollback that was asked for has.
        let verdict = if ctx.run().fallback.is_some() { Verdict::Failed } else { Verdict::Succeeded };
        Ok(Outcome::Done { verdict, output })
    }
}

/// A snapshot of an app in one mode is no way back for an app in the other.
fn expect_mode(app: &ContainerApp, in_place: bool) -> Result<(), PhaseError> {
    let (code, now, then) = match (in_place, app.mode) {
        (true, RevisionMode::Multiple) => ("app_in_multiple_revision_mode", "multiple", "single"),
        (false, RevisionMode::Single) => ("app_in_single_revision_mode", "single", "multiple"),
        _ => return Ok(()),
    };
    let message = format!(
        "the app is in {now} revision mode and was in {then} when it was upgraded; nothing was changed: set the mode back (az \
         containerapp revision set-mode --mode {then}), then roll back again"
    );
    Err(PhaseError::fatal(code, message))
}
