//! The good end of an upgrade: what it leaves in its output and in the snapshot.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::patching::LOG;
use super::snapshot::{SNAPSHOT, Snapshot};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, PhaseError};
use crate::model::Verdict;
use crate::pipelines::upgrade::{Upgrade, UpgradeState};

/// The run ends, and from here on counts the time in which a call may go back.
pub async fn succeeded(
    ctx: &mut PhaseContext,
    upgrade: &Arc<Upgrade>,
    state: &UpgradeState,
) -> Result<Outcome, PhaseError> {
    match Snapshot::of(ctx).await {
        Ok(mut snapshot) => {
            snapshot.available_until = ctx.now() + upgrade.rollout.rollback_window;
            snapshot.former = None;
            ctx.set_document(SNAPSHOT, &snapshot)?;
        }
        // What serves and is well does so without a way back, too.
        Err(PhaseError::Fatal(failure)) => ctx.log(LOG, &format!("there is no way back: {failure}")),
        Err(passing) => return Err(passing),
    }
    let state = UpgradeState { progress: 100, ..state.clone() };
    ctx.set_state(&state)?;
    Ok(Outcome::Done { verdict: Verdict::Succeeded, output: output(&state) })
}

/// What was built, and what runs it.
pub fn output(state: &UpgradeState) -> Value {
    let images: Map<String, Value> = state
        .builds
        .iter()
        .map(|(name, build)| (name.clone(), json!({"image": build.image, "digest": build.digest})))
        .collect();
    let mut output = json!({"commit": state.commit, "images": images});
    if let (Some(rollout), Some(fields)) = (&state.rollout, output.as_object_mut()) {
        fields.insert("revision".to_owned(), json!(rollout.revision));
        fields.insert("from_revision".to_owned(), json!(rollout.from_revision));
        fields.insert("from_version".to_owned(), json!(rollout.from_version));
    }
    output
}
