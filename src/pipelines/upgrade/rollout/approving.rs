//! Phase `approving`: the run waits for an admin other than its starter, and than those of the runs that it goes on for,
//! to agree to the plan.
//!
//! Leaves in the state what was agreed to and by whom; `patching` does that and nothing else. Changes nothing outside.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::patching::LOG;
use super::plan;
use super::state::{Approval, ApprovalSignal};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::pipelines::upgrade::{Upgrade, UpgradeInput, UpgradeState};

pub const NAME: &str = "approving";
/// The signal that carries an [`ApprovalSignal`].
pub const SIGNAL: &str = "approve";

pub struct Approving {
    pub upgrade: Arc<Upgrade>,
}

#[async_trait]
impl Phase for Approving {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let mut state: UpgradeState = ctx.state()?;
        // A retry may meet other settings than the run that it goes on for.
        let Some(patience) = self.upgrade.rollout.approval else { return Ok(Outcome::Next) };
        if state.approval.is_none() {
            let approval = self.ask(ctx, &state, patience).await?;
            ctx.log(LOG, &format!("the plan {} waits for approval until {}", approval.plan_hash, approval.until));
            state.approval = Some(approval);
            state.progress = state.progress.max(75);
        }
        let given = ctx.signal(SIGNAL).and_then(|told| serde_json::from_value::<ApprovalSignal>(told.clone()).ok());
        let starter = ctx.run().started_by.clone();
        let given = given.filter(|given| !state.was_started_by(&given.by, &starter));
        let Some(approval) = state.approval.as_mut() else { return Ok(Outcome::Next) };
        if let Some(given) = given.filter(|given| given.plan_hash == approval.plan_hash) {
            ctx.log(LOG, &format!("{} has approved the plan", given.by));
            (approval.approved_by, approval.approved_at) = (Some(given.by), Some(given.at));
            ctx.set_state(&state)?;
            return Ok(Outcome::Next);
        }
        let (until, hash) = (approval.until, approval.plan_hash.clone());
        ctx.set_state(&state)?;
        if ctx.now() >= until {
            let message = format!(
                "nobody approved the plan {hash} in time; nothing was changed and the images are built: retry the upgrade to \
                 ask again, or give people longer (UPGRADE_APPROVAL_MINUTES)"
            );
            return Err(PhaseError::fatal("approval_expired", message));
        }
        let reason = format!(
            "an admin other than {starter} to approve the plan {hash} (POST /api/upgrade/jobs/{}/approve)",
            ctx.run().id
        );
        Ok(Outcome::Wait { after: until.since(ctx.now()), reason })
    }

    fn heeds(&self) -> &'static [&'static str] {
        &[SIGNAL]
    }
}

impl Approving {
    async fn ask(&self, ctx: &PhaseContext, state: &UpgradeState, patience: Duration) -> Result<Approval, PhaseError> {
        let input: UpgradeInput = ctx.input()?;
        let app = self.upgrade.apps.app().await?;
        let asked = self.upgrade.asked(&input)?;
        let commit = state.commit.as_deref().unwrap_or_default();
        let plan_hash = plan::hash(Some(&app), &input.target_version, commit, asked.strategy);
        if input.plan_hash.as_ref().is_some_and(|agreed| *agreed != plan_hash && !state.replans) {
            // Nobody is asked for what would be refused afterwards.
            return Err(plan::outdated());
        }
        Ok(Approval { plan_hash, until: ctx.now() + patience, approved_by: None, approved_at: None })
    }
}
