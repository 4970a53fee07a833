//! One phase of the probe.
//!
//! Input: [`ProbeInput`]. State: [`ProbeState`]. Output of the last phase: the names of the phases that ran.
//! A second call writes its line again only if the first call's commit was lost.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Action, LOG, ProbeInput, RELEASE, SPEC};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::model::Verdict;

#[derive(Default, Serialize, Deserialize)]
pub(super) struct ProbeState {
    /// Phases that have done their work.
    pub done: Vec<String>,
    /// The phase that has begun its wait.
    waited: Option<String>,
    /// The drill is over: it was done by the run that this one goes on for.
    #[serde(default)]
    pub drilled: bool,
}

pub struct ProbePhase {
    name: &'static str,
}

impl ProbePhase {
    /// How long a blocked phase sleeps between two looks; a release wakes it at once.
    const LOOK: Duration = Duration::from_secs(600);

    pub fn new(name: &'static str) -> Self {
        Self { name }
    }

    /// What the drill wants of this phase now, if anything.
    fn drill(
        &self,
        input: &ProbeInput,
        state: &mut ProbeState,
        ctx: &PhaseContext,
    ) -> Option<Result<Outcome, PhaseError>> {
        let drill = input.drill.as_ref().filter(|drill| drill.phase == self.name && !state.drilled)?;
        match drill.action {
            Action::Wait if state.waited.as_deref() == Some(self.name) => None,
            Action::Wait => {
                state.waited = Some(self.name.to_owned());
                let reason = format!("the drill asked for {} s", drill.seconds);
                Some(Ok(Outcome::Wait { after: Duration::from_secs(drill.seconds), reason }))
            }
            Action::Block if ctx.signal(RELEASE).is_some() => None,
            Action::Block => {
                let reason = "blocked until POST /api/probe/{id}/release".to_owned();
                Some(Ok(Outcome::Wait { after: Self::LOOK, reason }))
            }
            Action::Fail => Some(Err(PhaseError::fatal(
                "drill_failure",
                format!("phase {} failed because the drill asked for it; nothing needs mending", self.name),
            ))),
            Action::Flake => Some(Err(PhaseError::retryable(
                "drill_flake",
                format!("phase {} failed for now because the drill asked for it", self.name),
            ))),
            #[expect(clippy::panic, reason = "the drill is to panic")]
            Action::Panic => panic!("the drill asked phase {} to panic", self.name),
        }
    }
}

#[async_trait]
impl Phase for ProbePhase {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let input: ProbeInput = ctx.input()?;
        let mut state: ProbeState = ctx.state()?;
        if let Some(answer) = self.drill(&input, &mut state, ctx) {
            ctx.set_state(&state)?;
            return answer;
        }
        ctx.log(LOG, &format!("{}: attempt {}", self.name, ctx.run().attempt));
        state.done.push(self.name.to_owned());
        ctx.set_state(&state)?;
        if SPEC.phase_after(self.name).is_some() {
            return Ok(Outcome::Next);
        }
        Ok(Outcome::Done { verdict: Verdict::Succeeded, output: json!({"phases": state.done}) })
    }
}
