//! A pipeline of two phases whose first one does what a test says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::Value;
use windlass::engine::context::PhaseContext;
use windlass::engine::{Outcome, Phase, PhaseError, PhaseSpec, Pipeline, PipelineSpec, Registry};
use windlass::model::{RetryPolicy, Verdict};

const DAY: Duration = Duration::from_secs(24 * 3600);

const fn phase(name: &'static str) -> PhaseSpec {
    PhaseSpec {
        name,
        deadline: Duration::from_secs(30 * 24 * 3600),
        delivery: DAY,
        retry: RetryPolicy::DEFAULT,
        waits_for_people: false,
    }
}

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "rig",
    family: "rig",
    phases: &[phase("work"), phase("rest")],
    queued: Duration::from_secs(60 * 24 * 3600),
    budget: Duration::from_secs(60 * 24 * 3600),
    logs: "rig-logs",
    timers: &[],
};

/// The signal that the first phase heeds.
pub const WORD: &str = "word";

type Answer = Result<Outcome, PhaseError>;
type Deed = Arc<dyn for<'a> Fn(&'a mut PhaseContext) -> BoxFuture<'a, Answer> + Send + Sync>;

struct Work(Deed);

#[async_trait]
impl Phase for Work {
    async fn run(&self, ctx: &mut PhaseContext) -> Answer {
        (self.0)(ctx).await
    }

    fn heeds(&self) -> &'static [&'static str] {
        &[WORD]
    }
}

struct Rest;

#[async_trait]
impl Phase for Rest {
    async fn run(&self, ctx: &mut PhaseContext) -> Answer {
        let output = ctx.state::<Value>()?;
        Ok(Outcome::Done { verdict: Verdict::Succeeded, output })
    }
}

/// `deed` is the work of the first phase; the second ends the run and puts its state out.
pub fn registry(
    deed: impl for<'a> Fn(&'a mut PhaseContext) -> BoxFuture<'a, Answer> + Send + Sync + 'static,
) -> Registry {
    Registry::new(vec![Pipeline {
        spec: &SPEC,
        work: vec![Arc::new(Work(Arc::new(deed))), Arc::new(Rest)],
        resume: None,
        timers: Vec::new(),
    }])
}
