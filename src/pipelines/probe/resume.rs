//! Where a probe that failed goes on: in the phase where it ended, with what was done before. Its input stays, so the
//! state has to remember that the drill is over.

use serde_json::Value;

use super::SPEC;
use super::phase::ProbeState;
use crate::engine::Resume;
use crate::model::{Failure, Run, Timestamp};

pub fn resume(run: &Run, _now: Timestamp) -> Result<Resume, Failure> {
    let unreadable = |error: serde_json::Error| {
        Failure::new("state_unreadable", format!("what the probe remembers cannot be read: {error}; start another one"))
    };
    let unknown = || Failure::new("no_such_phase", format!("a probe has no phase {}; start another one", run.phase));
    let phase = SPEC.phase(&run.phase).ok_or_else(unknown)?.name;
    let mut state = match &run.state {
        Value::Null => ProbeState::default(),
        known => serde_json::from_value(known.clone()).map_err(unreadable)?,
    };
    state.drilled = true;
    // It may have done its work and been cancelled before it could hand over.
    state.done.retain(|done| done != phase);
    Ok(Resume { phase, state: serde_json::to_value(&state).map_err(unreadable)? })
}
