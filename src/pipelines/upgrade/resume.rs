//! Where an upgrade that failed goes on: in the phase that failed, with what was finished before it.
//!
//! A platform that the upgrade has changed is patched anew, and the snapshot from before the first change stays the way
//! back. Whoever asks for the retry agrees to the platform as it is by then, so the plan of the start no longer counts.

use std::time::Duration;

use super::{Build, BuildStatus, SPEC, UpgradeState};
use crate::engine::Resume;
use crate::model::{End, Failure, Progress, Run, Timestamp};

/// Sources that were uploaded longer ago are uploaded again: the builder does not keep them for ever.
const SOURCES_KEEP: Duration = Duration::from_secs(3600);

pub fn resume(run: &Run, now: Timestamp) -> Result<Resume, Failure> {
    let mut state: UpgradeState = match &run.state {
        serde_json::Value::Null => UpgradeState::default(),
        known => serde_json::from_value(known.clone()).map_err(unreadable)?,
    };
    let phase = match (&run.fallback, run.phase.as_str()) {
        (Some(_), _) => after_going_back(run, &mut state)?,
        (None, "fetching") => rebuild(run, &mut state, "fetching"),
        (None, "building") => {
            let fresh = state.uploaded_at.is_some_and(|at| now < at + SOURCES_KEEP);
            rebuild(run, &mut state, if fresh { "building" } else { "fetching" })
        }
        (None, "approving" | "patching") => patch_anew(run, &mut state),
        (None, _) => after_rollout(run, &mut state),
    };
    if !state.starters.contains(&run.started_by) {
        state.starters.push(run.started_by.clone());
    }
    let phase = SPEC.phase(phase).ok_or_else(|| Failure::new("no_such_phase", "start another upgrade"))?.name;
    Ok(Resume { phase, state: serde_json::to_value(&state).map_err(unreadable)? })
}

/// Keeps every image that was built.
fn rebuild(run: &Run, state: &mut UpgradeState, phase: &'static str) -> &'static str {
    for build in state.builds.values_mut() {
        *build = if build.status == BuildStatus::Succeeded { kept(build, run) } else { build.reset() };
    }
    state.progress = 0;
    phase
}

/// The rest of its log stays with the run that built it.
fn kept(build: &Build, run: &Run) -> Build {
    let built_by = build.built_by.clone().or_else(|| Some(run.id.clone()));
    Build { built_by, log_complete: true, ..build.clone() }
}

/// Everything from the plan on; whoever had to agree is asked again.
fn patch_anew(run: &Run, state: &mut UpgradeState) -> &'static str {
    state.builds.values_mut().for_each(|build| *build = kept(build, run));
    (state.rollout, state.rollback) = (None, None);
    state.progress = 75;
    if state.approval.take().is_some() { "approving" } else { "patching" }
}

/// The failed revision may still be in the app.
fn after_rollout(run: &Run, state: &mut UpgradeState) -> &'static str {
    let touched = state.rollout.as_ref().is_some_and(|rollout| rollout.change.sent_at.is_some());
    if touched || state.keeps_snapshot_of.is_some() {
        state.keeps_snapshot_of = Some(run.id.clone());
    }
    state.replans |= touched;
    patch_anew(run, state)
}

fn after_going_back(run: &Run, state: &mut UpgradeState) -> Result<&'static str, Failure> {
    if !matches!(run.progress, Progress::Ended { end: End::Completed(_), .. }) {
        let message = "the platform could not be brought back to what it was: POST /api/upgrade/rollback tries that again; \
                       start another upgrade afterwards";
        return Err(Failure::new("rollback_failed", message));
    }
    (state.keeps_snapshot_of, state.replans) = (None, true);
    Ok(patch_anew(run, state))
}

fn unreadable(error: serde_json::Error) -> Failure {
    let message = format!("what the upgrade remembers cannot be read ({error}); start another one");
    Failure::new("state_unreadable", message)
}
