//! A pipeline that can go back: it remembers what is there, swaps it, watches, and restores it if anything goes wrong.
//! What is there is a document, so that every step of it is in the same tables as the run.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass::engine::context::PhaseContext;
use windlass::engine::{Outcome, Phase, PhaseError, PhaseSpec, Pipeline, PipelineSpec, Registry, StartRequest};
use windlass::model::{End, Failure, RetryPolicy, Run, Verdict};

use super::world::{World, request};

pub const SCOPE: &str = "swap:1";
pub const LOG: &str = "swap";
pub const FAILED: End = End::Completed(Verdict::Failed);
/// The signal that lets a blocked phase go on.
pub const RELEASE: &str = "release";

const RETRY: RetryPolicy =
    RetryPolicy { initial: Duration::from_secs(1), coefficient: 2.0, maximum: Duration::from_secs(10), attempts: 3 };

const fn phase(name: &'static str, minutes: u64) -> PhaseSpec {
    PhaseSpec {
        name,
        deadline: Duration::from_secs(minutes * 60),
        delivery: Duration::from_secs(60),
        retry: RETRY,
        waits_for_people: false,
    }
}

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "swap",
    family: "swap",
    phases: &[phase("remember", 30), phase("swap", 25), phase("watch", 90), phase("restore", 40), phase("rest", 10)],
    queued: Duration::from_secs(3600),
    budget: Duration::from_secs(3600),
    logs: "swap-logs",
    timers: &[],
};

/// What three of the phases do once they have done their work: `succeed`, `fail`, `flake`, `panic`, `block`, `toil`, `stray`
/// or `outgrow`; and where the watch falls back to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    pub swap: String,
    pub watch: String,
    pub restore: String,
    pub back: String,
}

impl Default for Script {
    fn default() -> Self {
        Self { swap: "succeed".into(), watch: "succeed".into(), restore: "succeed".into(), back: "restore".into() }
    }
}

pub fn watching(watch: &str) -> Script {
    Script { watch: watch.into(), ..Script::default() }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    swapped: bool,
    /// What the document `thing` says, as the run has left it.
    thing: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ballast: String,
}

/// The document `thing`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    pub is: String,
}

struct Work(&'static str);

impl Work {
    fn play(&self, action: &str, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let outcome = match action {
            "fail" => return Err(PhaseError::fatal("sick", "the thing is sick")),
            "flake" => return Err(PhaseError::retryable("pale", "the thing looks pale")),
            "panic" => panic!("the thing bites"),
            "block" if ctx.signal(RELEASE).is_none() => {
                Outcome::Wait { after: Duration::from_secs(600), reason: "blocked".into() }
            }
            "stray" => Outcome::Enter("swap"),
            "outgrow" => {
                let state = State { ballast: "x".repeat(2 * LARGEST), ..ctx.state()? };
                ctx.set_state(&state)?;
                Outcome::Next
            }
            _ if self.0 == "restore" => Outcome::Done { verdict: Verdict::Failed, output: json!({"is": "old"}) },
            _ => Outcome::Done { verdict: Verdict::Succeeded, output: json!({"is": "new"}) },
        };
        Ok(outcome)
    }

    /// Says in state and document alike what is there.
    fn put(ctx: &mut PhaseContext, is: &str, swapped: bool) -> Result<(), PhaseError> {
        ctx.set_document("thing", &Thing { is: is.into() })?;
        ctx.set_state(&State { swapped, thing: Some(is.into()), ..State::default() })
    }
}

#[async_trait]
impl Phase for Work {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let script: Script = ctx.input()?;
        match self.0 {
            "remember" => {
                ctx.set_document("before", &Thing { is: "old".into() })?;
                Self::put(ctx, "old", false)?;
                ctx.log(LOG, "remembered");
                Ok(Outcome::Next)
            }
            "swap" => {
                // That it is about to swap is known before it does.
                Self::put(ctx, "half new", true)?;
                ctx.checkpoint().await?;
                if script.swap != "succeed" {
                    return self.play(&script.swap, ctx);
                }
                Self::put(ctx, "new", true)?;
                ctx.log(LOG, "swapped");
                Ok(Outcome::Enter("watch"))
            }
            "watch" => self.play(&script.watch, ctx),
            "restore" => {
                if let Some(before) = ctx.document::<Thing>("before").await? {
                    Self::put(ctx, &before.is, true)?;
                    ctx.remove_document("before")?;
                    ctx.log(LOG, "restored");
                    ctx.checkpoint().await?;
                }
                if script.restore == "toil" {
                    // Long enough for its lease to be renewed.
                    tokio::time::sleep(World::LEASE / 2).await;
                }
                self.play(&script.restore, ctx)
            }
            _ => Ok(Outcome::Next),
        }
    }

    async fn abandon(&self, ctx: &mut PhaseContext) -> Result<(), PhaseError> {
        ctx.log(LOG, &format!("abandoned {}", self.0));
        Ok(())
    }

    fn fallback(&self, ctx: &PhaseContext, why: &Failure) -> Option<&'static str> {
        let script: Script = ctx.input().ok()?;
        match (self.0, script.back.as_str()) {
            ("watch", "panic") => panic!("asked because of {}", why.code),
            ("watch", wanted) => SPEC.phases.iter().map(|phase| phase.name).find(|name| *name == wanted),
            ("swap", _) => ctx.state::<State>().ok()?.swapped.then_some("restore"),
            ("restore", _) => Some("rest"),
            _ => None,
        }
    }
}

/// Bytes that a row may have where a test says so.
pub const LARGEST: usize = 20_000;

pub fn registry() -> Registry {
    let work = SPEC.phases.iter().map(|phase| Arc::new(Work(phase.name)) as _).collect();
    Registry::new(vec![Pipeline { spec: &SPEC, work, timers: Vec::new(), resume: None }])
}

pub fn world() -> World {
    World::of(registry())
}

pub fn asked(script: &Script) -> StartRequest {
    request(SPEC.name, SCOPE, json!(script))
}

pub fn said(world: &World, run: &Run) -> String {
    world.log(run, SPEC.logs, LOG)
}

/// What the run remembers of the thing is what the document says.
pub fn is_consistent(world: &World, run: &Run) -> bool {
    let thing = world.document(SCOPE, "thing").map_or(Value::Null, |thing| thing["is"].clone());
    let known = run.state.get("thing").cloned().unwrap_or_default();
    let swapped = thing == "half new" || thing == "new";
    known == thing && (!swapped || world.document(SCOPE, "before").is_some())
}
