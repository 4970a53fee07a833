//! `probe`: four phases that touch every part of the plumbing and no outside system. It is the health check, the
//! benchmark and the drill.
//!
//! The phases bear the names of what real pipelines do in that order. Each writes one line into the log `probe`.

mod phase;
mod resume;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::{PhaseSpec, Pipeline, PipelineSpec};
use crate::model::RetryPolicy;

const RETRY: RetryPolicy =
    RetryPolicy { initial: Duration::from_secs(1), coefficient: 2.0, maximum: Duration::from_secs(10), attempts: 3 };

const fn phase(name: &'static str) -> PhaseSpec {
    PhaseSpec {
        name,
        deadline: Duration::from_secs(3600),
        delivery: Duration::from_secs(60),
        retry: RETRY,
        waits_for_people: false,
    }
}

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "probe",
    family: "probe",
    phases: &[phase("prepare"), phase("build"), phase("deploy"), phase("verify")],
    queued: Duration::from_secs(4 * 3600),
    budget: Duration::from_secs(4 * 3600),
    logs: "windlass-logs",
    timers: &[],
};

/// The log that every phase adds its line to.
pub const LOG: &str = "probe";

/// The signal that lets a blocked phase go on.
pub const RELEASE: &str = "release";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeInput {
    /// What one phase should do instead of succeeding at once. A retry does not repeat it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// One of the phases' names.
    pub phase: String,
    pub action: Action,
    /// For `wait`: how long, in seconds.
    #[serde(default)]
    pub seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Come back once after `seconds`.
    Wait,
    /// Fail for good.
    Fail,
    /// Fail in a way that is worth another attempt, every time.
    Flake,
    Panic,
    /// Wait until released by a call.
    Block,
}

pub fn pipeline() -> Pipeline {
    let work = SPEC.phases.iter().map(|spec| Arc::new(phase::ProbePhase::new(spec.name)) as _).collect();
    Pipeline { spec: &SPEC, work, timers: Vec::new(), resume: Some(resume::resume) }
}
