//! A pipeline with the three kinds of external effects that may be met by a death: one with a deterministic name,
//! one that is looked for before it is repeated, one whose id is checkpointed before it is waited for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use windlass::engine::context::PhaseContext;
use windlass::engine::{Outcome, Phase, PhaseError, PhaseSpec, Pipeline, PipelineSpec, Registry};
use windlass::model::{RetryPolicy, Verdict};

use super::outside::Outside;

const HOUR: Duration = Duration::from_secs(3600);

const fn phase(name: &'static str) -> PhaseSpec {
    PhaseSpec {
        name,
        deadline: HOUR,
        delivery: Duration::from_secs(600),
        retry: RetryPolicy::DEFAULT,
        waits_for_people: false,
    }
}

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "effects",
    family: "effects",
    phases: &[phase("named"), phase("observed"), phase("tracked")],
    queued: Duration::from_secs(4 * 3600),
    budget: Duration::from_secs(4 * 3600),
    logs: "effects-logs",
    timers: &[],
};

pub const LOG: &str = "effects";

#[derive(Default, Serialize, Deserialize)]
struct State {
    job: Option<usize>,
}

struct Named(Outside);

#[async_trait]
impl Phase for Named {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let fence = (ctx.run().seq, ctx.run().claims);
        self.0.put(&format!("thing-{}", ctx.run().id), fence).await?;
        ctx.log(LOG, "named");
        Ok(Outcome::Next)
    }
}

struct Observed(Outside);

#[async_trait]
impl Phase for Observed {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let tag = format!("observed-{}", ctx.run().id);
        if self.0.find(&tag).await?.is_none() {
            self.0.start(&tag).await?;
        }
        ctx.log(LOG, "observed");
        Ok(Outcome::Next)
    }
}

struct Tracked(Outside);

#[async_trait]
impl Phase for Tracked {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let Some(job) = ctx.state::<State>()?.job else {
            let job = self.0.start(&format!("tracked-{}", ctx.run().id)).await?;
            ctx.set_state(&State { job: Some(job) })?;
            ctx.log(LOG, "started");
            ctx.checkpoint().await?;
            return Ok(Outcome::Wait { after: Duration::from_secs(5), reason: "the job".into() });
        };
        if !self.0.is_done(job).await? {
            return Ok(Outcome::Wait { after: Duration::from_secs(5), reason: "the job".into() });
        }
        ctx.log(LOG, "done");
        Ok(Outcome::Done { verdict: Verdict::Succeeded, output: json!({"job": job}) })
    }
}

pub fn registry(outside: &Outside) -> Registry {
    let work: Vec<Arc<dyn Phase>> =
        vec![Arc::new(Named(outside.clone())), Arc::new(Observed(outside.clone())), Arc::new(Tracked(outside.clone()))];
    Registry::new(vec![Pipeline { spec: &SPEC, work, timers: Vec::new(), resume: None }])
}
