//! Phase `validating`: the new revision is proved before it gets traffic.
//!
//! Its readiness address is asked again and again. Enough good answers in a row are a success; a revision that answers
//! badly until the time is over has failed; where there was no telling, a person decides, for so long as a setting gives
//! them. Changes nothing outside.

use std::sync::Arc;

use async_trait::async_trait;

use super::judge::Health;
use super::patching::LOG;
use super::rolling_out::{lost, rollout};
use super::state::{Validation, Verdict, WordSignal};
use super::{rolling_back, watch};
use crate::azure::container_apps::Revision;
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::model::{Failure, Timestamp};
use crate::pipelines::upgrade::ports::Ready;
use crate::pipelines::upgrade::{Upgrade, UpgradeState};

/// The signal that carries a person's verdict, a [`WordSignal`].
pub const SIGNAL: &str = "verdict";
/// Good answers in a row that prove a revision.
const ENOUGH: u32 = 3;

pub struct Validating {
    pub upgrade: Arc<Upgrade>,
}

#[async_trait]
impl Phase for Validating {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let mut state: UpgradeState = ctx.state()?;
        rolling_back::heed(ctx)?;
        let now = ctx.now();
        let name = rollout(&state)?.revision.clone();
        let revision = self.upgrade.apps.revision(&name).await?;
        self.expect_well(ctx, &mut state, revision.as_ref()).await?;
        let mut validation =
            state.rollout.as_mut().and_then(|rollout| rollout.validation.take()).unwrap_or(Validation {
                began_at: now,
                good: 0,
                asked: 0,
                last_answer: None,
                verdict: None,
                decide_until: None,
            });
        let answer = match &revision {
            Some(revision) if validation.verdict.is_none() => self.upgrade.readiness.ask(revision).await,
            _ => None,
        };
        let outcome = self.weigh(ctx, &mut validation, answer, now);
        if let Some(rollout) = state.rollout.as_mut() {
            rollout.validation = Some(validation);
        }
        ctx.set_state(&state)?;
        outcome
    }

    fn heeds(&self) -> &'static [&'static str] {
        &[SIGNAL, rolling_back::SIGNAL]
    }

    fn fallback(&self, _: &PhaseContext, why: &Failure) -> Option<&'static str> {
        self.upgrade.goes_back(why).then_some(rolling_back::NAME)
    }
}

impl Validating {
    async fn expect_well(
        &self,
        ctx: &mut PhaseContext,
        state: &mut UpgradeState,
        revision: Option<&Revision>,
    ) -> Result<(), PhaseError> {
        let settings = &self.upgrade.rollout;
        let (now, entered) = (ctx.now(), ctx.run().phase_entered_at);
        let rollout = state.rollout.as_mut().ok_or_else(lost)?;
        let health = match watch::unoffered(revision, &rollout.revision, rollout.min_replicas) {
            Health::Waiting(what) => {
                Health::Sick { code: "revision_unhealthy", what: format!("it waits for {what}"), lasting: false }
            }
            health => health,
        };
        let patience = watch::Patience { began: now.max(entered), limit: settings.rollout, grace: settings.grace };
        match watch::outlasted(&health, &mut rollout.sick_since, now, &patience) {
            Some(failure) => {
                let name = rollout.revision.clone();
                Err(watch::failed(ctx, self.upgrade.apps.as_ref(), &name, failure, LOG).await)
            }
            None => Ok(()),
        }
    }

    fn weigh(
        &self,
        ctx: &mut PhaseContext,
        validation: &mut Validation,
        answer: Option<Ready>,
        now: Timestamp,
    ) -> Result<Outcome, PhaseError> {
        let settings = &self.upgrade.rollout;
        if validation.verdict.is_none() {
            let over = now >= validation.began_at + settings.validate;
            validation.asked += u32::from(answer.is_some());
            let told = match &answer {
                Some(Ready::Yes) => "ready".to_owned(),
                Some(Ready::No(what)) => what.clone(),
                Some(Ready::Unknown(what)) => format!("no answer: {what}"),
                None => "nobody has said where to ask (UPGRADE_READINESS_URL)".to_owned(),
            };
            validation.good = if answer == Some(Ready::Yes) { validation.good + 1 } else { 0 };
            validation.last_answer = Some(told.clone());
            validation.verdict = match answer {
                _ if validation.good >= ENOUGH => Some(Verdict::Successful),
                Some(Ready::No(_)) if over => Some(Verdict::Failed),
                None => Some(Verdict::Inconclusive),
                Some(_) if over => Some(Verdict::Inconclusive),
                Some(_) => None,
            };
            if let Some(verdict) = validation.verdict {
                ctx.log(LOG, &format!("validated {} times: {verdict:?}, the last answer was {told}", validation.asked));
            }
        }
        match validation.verdict {
            None => Ok(Outcome::Wait { after: settings.poll, reason: "the new revision to prove itself".to_owned() }),
            Some(Verdict::Successful) => Ok(Outcome::Next),
            Some(Verdict::Failed) => Err(failed(validation)),
            Some(Verdict::Inconclusive) => self.ask_a_person(ctx, validation, now),
        }
    }

    fn ask_a_person(
        &self,
        ctx: &mut PhaseContext,
        validation: &mut Validation,
        now: Timestamp,
    ) -> Result<Outcome, PhaseError> {
        let until = *validation.decide_until.get_or_insert(now + self.upgrade.rollout.verdict);
        let told = ctx.signal(SIGNAL).and_then(|told| serde_json::from_value::<WordSignal>(told.clone()).ok());
        if let Some(told) = told {
            let word = if told.go { "go on" } else { "go back" };
            ctx.log(LOG, &format!("{} has decided to {word}: {}", told.by, told.reason));
            validation.verdict = Some(if told.go { Verdict::Successful } else { Verdict::Failed });
            return if told.go { Ok(Outcome::Next) } else { Err(failed(validation)) };
        }
        if now >= until {
            let message = "the validation was inconclusive and nobody decided in time; look at the new revision, then start \
                           again";
            return Err(PhaseError::fatal("validation_undecided", message));
        }
        let reason = format!(
            "a person's verdict, because the validation is inconclusive (POST /api/upgrade/jobs/{}/verdict)",
            ctx.run().id
        );
        // It is looked at all the while: a revision may fall sick while people think.
        Ok(Outcome::Wait { after: until.since(now).min(self.upgrade.rollout.poll * 6), reason })
    }
}

fn failed(validation: &Validation) -> PhaseError {
    let message = format!(
        "the new revision did not prove itself: the last answer was {}; mend the cause, then retry or start another version",
        validation.last_answer.as_deref().unwrap_or("none")
    );
    PhaseError::fatal("validation_failed", message)
}
