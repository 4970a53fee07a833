//! A pipeline with a gate: its first phase does what a test says, its second waits for somebody, its third ends it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;
use windlass::engine::context::PhaseContext;
use windlass::engine::{Outcome, Phase, PhaseError, PhaseSpec, Pipeline, PipelineSpec, Registry};
use windlass::model::{RetryPolicy, Verdict};

/// The signal that opens the gate.
pub const APPROVE: &str = "approve";

const HOUR: Duration = Duration::from_secs(3600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

const fn phase(name: &'static str, deadline: Duration, waits_for_people: bool) -> PhaseSpec {
    PhaseSpec { name, deadline, delivery: Duration::from_secs(60), retry: RetryPolicy::DEFAULT, waits_for_people }
}

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "gate",
    family: "gate",
    phases: &[phase("begin", HOUR, false), phase("approval", MONTH, true), phase("finish", MONTH, false)],
    queued: HOUR,
    budget: HOUR,
    logs: "gate-logs",
    timers: &[],
};

/// The same without its first phase.
pub const DOORSTEP: PipelineSpec =
    PipelineSpec { name: "doorstep", phases: &[phase("approval", MONTH, true), phase("finish", MONTH, false)], ..SPEC };

type Answer = Result<Outcome, PhaseError>;
type Deed = Arc<dyn for<'a> Fn(&'a mut PhaseContext) -> BoxFuture<'a, Answer> + Send + Sync>;

struct Begin(Deed);

#[async_trait]
impl Phase for Begin {
    async fn run(&self, ctx: &mut PhaseContext) -> Answer {
        (self.0)(ctx).await
    }
}

struct Approval;

#[async_trait]
impl Phase for Approval {
    async fn run(&self, ctx: &mut PhaseContext) -> Answer {
        match ctx.signal(APPROVE) {
            Some(_) => Ok(Outcome::Next),
            None => Ok(Outcome::Wait { after: MONTH, reason: "nobody has approved yet".into() }),
        }
    }
}

struct Finish;

#[async_trait]
impl Phase for Finish {
    async fn run(&self, _: &mut PhaseContext) -> Answer {
        Ok(Outcome::Done { verdict: Verdict::Succeeded, output: Value::Null })
    }
}

/// `deed` is the work of the first phase.
pub fn registry(
    deed: impl for<'a> Fn(&'a mut PhaseContext) -> BoxFuture<'a, Answer> + Send + Sync + 'static,
) -> Registry {
    let work: Vec<Arc<dyn Phase>> = vec![Arc::new(Begin(Arc::new(deed))), Arc::new(Approval), Arc::new(Finish)];
    let behind = work.iter().skip(1).cloned().collect();
    let pipeline = |spec, work| Pipeline { spec, work, timers: Vec::new(), resume: None };
    Registry::new(vec![pipeline(&SPEC, work), pipeline(&DOORSTEP, behind)])
}
