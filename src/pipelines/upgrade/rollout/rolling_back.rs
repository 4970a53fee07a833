//! Phase `rolling-back`: the platform becomes what the snapshot says it was. The last phase of an upgrade that fails, and
//! the only one of a rollback by call.
//!
//! An app in single revision mode gets the old template as a new revision, under a suffix of this run; one in multiple
//! revision mode gets its traffic back to the old revision, which is started again if it was stopped. A second call looks
//! first. Ends with what was found: also that there was nothing to undo.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::judge::Health;
use super::patching::LOG;
use super::preflight::{self, Found};
use super::returning::back;
use super::snapshot::{SNAPSHOT, Snapshot};
use super::state::{Return, Strategy, WordSignal};
use super::{conceal, suffix, template};
use crate::azure::container_apps::ContainerApp;
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
        let health = match snapshot.strategy {
            Strategy::BlueGreen => self.traffic_back(ctx, &mut state, &snapshot).await?,
            Strategy::InPlace | Strategy::BuildOnly => self.template_back(ctx, &mut state, &snapshot).await?,
        };
        ctx.set_state(&state)?;
        match health {
            Health::Ready => self.done(ctx, state, snapshot).await,
            Health::Waiting(reason) | Health::Sick { what: reason, .. } => {
                Ok(Outcome::Wait { after: self.upgrade.rollout.poll, reason })
            }
        }
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
        let version = snapshot.version.clone().unwrap_or_default();
        let suffix = suffix::back(self.upgrade.apps.name(), &version, &ctx.run().id);
        let in_place = snapshot.strategy != Strategy::BlueGreen;
        let same = conceal::concealed(&template::kept(&app.template)) == snapshot.template;
        let untouched = in_place && same && app.latest_ready_revision == app.latest_revision;
        let mut images = template::images(&snapshot.template);
        if untouched {
            ctx.log(LOG, "the app is as it was: there is nothing to undo");
        } else {
            for (container, found) in preflight::images(&self.upgrade, snapshot).await? {
                match found {
                    Found::There(image) => images.insert(container, image),
                    Found::Gone(image) => return Err(preflight::gone(&container, &image)),
                };
            }
            ctx.log(LOG, &format!("going back to revision {}", snapshot.revision));
        }
        state.rollback = Some(Return {
            job_id: snapshot.job_id.to_string(),
            to_version: snapshot.version.clone(),
            revision: match in_place && !untouched {
                true => suffix::revision(self.upgrade.apps.name(), &suffix),
                false => snapshot.revision.clone(),
            },
            suffix: (in_place && !untouched).then_some(suffix),
            images,
            min_replicas: template::min_replicas(&snapshot.template),
            change: Default::default(),
            sick_since: None,
            untouched,
        });
        Ok(())
    }

    async fn done(
        &self,
        ctx: &mut PhaseContext,
        mut state: UpgradeState,
        snapshot: Snapshot,
    ) -> Result<Outcome, PhaseError> {
        let snapshot = Snapshot { rolled_back_at: Some(ctx.now()), ..snapshot };
        ctx.set_document(SNAPSHOT, &snapshot)?;
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
