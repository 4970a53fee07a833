//! A run as every area shows it: how far it is, what it waits for.

use serde::Serialize;
use serde_json::Value;

use crate::engine::{Engine, PipelineSpec};
use crate::model::{End, Progress, Run, Timestamp, Verdict, Wake};

/// `custom_status` in the areas' dialects and `customStatus` in that of Durable Functions.
#[derive(Serialize, Debug)]
pub struct CustomStatus {
    pub phase: String,
    /// In percent.
    pub progress: u64,
    pub attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

/// What a run that has not ended waits for.
#[derive(Serialize, Debug, PartialEq)]
pub struct Why {
    /// `first_delivery`, `next_phase`, `condition`, `retry`, `signal`, `cancellation`, `worker` or `disabled`.
    pub kind: &'static str,
    pub reason: String,
    /// When it goes on, or at the latest is looked after.
    pub until: Timestamp,
}

impl CustomStatus {
    pub fn of(engine: &Engine, run: &Run) -> Self {
        let waiting_for = match &run.progress {
            Progress::Ready { wake: Wake::Waiting { reason }, .. } => Some(reason.clone()),
            _ => None,
        };
        let spec = engine.pipelines().find(|spec| spec.name == run.pipeline);
        Self { phase: run.phase.clone(), progress: percent(run, spec), attempt: run.attempt, waiting_for }
    }
}

/// What the pipeline itself says in its state; otherwise the share of phases that are done.
fn percent(run: &Run, spec: Option<&PipelineSpec>) -> u64 {
    if matches!(run.progress, Progress::Ended { end: End::Completed(Verdict::Succeeded), .. }) {
        return 100;
    }
    if let Some(told) = told_progress(&run.state) {
        return told;
    }
    let phases = spec.map(|spec| spec.phases).unwrap_or_default();
    let done = phases.iter().position(|phase| phase.name == run.phase).unwrap_or_default();
    (done * 100 / phases.len().max(1)).try_into().unwrap_or_default()
}

/// `progress` in a run's state, in percent.
pub fn told_progress(state: &Value) -> Option<u64> {
    let told = state.get("progress")?;
    // A float is cut, a negative one becomes 0.
    let told = told.as_u64().or_else(|| told.as_f64().map(|told| told as u64))?;
    Some(told.min(100))
}

/// Why nobody works on a run, where that is because somebody wants it so.
pub fn disabled(engine: &Engine, run: &Run) -> Option<String> {
    let at_work = match &run.progress {
        Progress::Ended { .. } => true,
        Progress::Leased { lease } => lease.expires_at > engine.now(),
        Progress::Ready { .. } => false,
    };
    let why = engine.closed(&run.pipeline, &run.phase).filter(|_| !at_work)?;
    Some(format!("phase {} does not go on: {why}", run.phase))
}

impl Why {
    pub fn of(engine: &Engine, run: &Run) -> Option<Self> {
        if let Some(reason) = disabled(engine, run) {
            return Some(Self { kind: "disabled", reason, until: run.deadline_at });
        }
        let (kind, reason, until) = match &run.progress {
            Progress::Ended { .. } => return None,
            Progress::Leased { lease } => {
                let reason = format!("a worker is at phase {}, attempt {}", run.phase, run.attempt);
                ("worker", reason, lease.expires_at)
            }
            Progress::Ready { wake_at, wake } => {
                let (kind, reason) = match wake {
                    Wake::Started => ("first_delivery", format!("phase {} is to begin", run.phase)),
                    Wake::Entered => ("next_phase", format!("phase {} is to begin", run.phase)),
                    Wake::Waiting { reason } => ("condition", reason.clone()),
                    Wake::Retrying { code } => {
                        ("retry", format!("attempt {} of phase {} after {code}", run.attempt, run.phase))
                    }
                    Wake::Signalled => ("signal", format!("phase {} is to see what the run was told", run.phase)),
                    Wake::Cancelling => ("cancellation", format!("phase {} is to be stopped", run.phase)),
                };
                (kind, reason, *wake_at)
            }
        };
        Some(Self { kind, reason, until })
    }
}

/// A failed build's details quote the end of its log, and build logs are for admins; so may those of the failure that
/// led to this one.
pub fn conceal_quotes(detail: &mut Value) {
    if let Some(facts) = detail.as_object_mut() {
        facts.remove("last_lines");
        if let Some(cause) = facts.get_mut("cause").and_then(|cause| cause.get_mut("detail")) {
            conceal_quotes(cause);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quotes_are_concealed_in_every_cause_that_led_to_a_failure() {
        let mut detail = json!({
            "last_lines": ["a"],
            "cause": {"code": "x", "detail": {"last_lines": ["b"], "cause": {"detail": {"last_lines": ["c"], "kept": 1}}}},
        });
        conceal_quotes(&mut detail);
        assert_eq!(detail, json!({"cause": {"code": "x", "detail": {"cause": {"detail": {"kept": 1}}}}}));
    }
}
