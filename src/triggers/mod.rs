//! What the Functions host calls: an invocation comes in as an envelope, the engine decides, an answer goes out.
//!
//! The host takes an invocation for done only when it is answered with a 2xx, JSON and an object. An empty answer would
//! hold it for ever, so there is none: [`answer`] knows two forms, and a failure's reason goes to stderr because the
//! host throws the body of a failure away.

mod answer;
mod envelope;
mod guard;
pub mod poison;
pub mod queue;
pub mod timer;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use futures::FutureExt;

use crate::engine::{Engine, PipelineSpec};
use envelope::Envelope;

/// A function that the host invokes, and what it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Function {
    /// Does a phase's work.
    Phase { queue: String },
    /// Receives what was delivered too often from `queue`.
    Poison { queue: String },
    /// The engine's round over all runs.
    Sweep,
    /// What a pipeline does now and then.
    Timer { name: &'static str, schedule: &'static str },
}

/// The name of the sweep's function.
pub const SWEEP: &str = "windlass_sweep";
/// What the host appends to the name of a queue for messages past maxDequeueCount.
pub const POISON_SUFFIX: &str = "-poison";

impl Function {
    /// Every function of these pipelines, with its name.
    pub fn of(specs: &[&PipelineSpec]) -> Vec<(String, Self)> {
        let queues = specs.iter().flat_map(|spec| spec.phases.iter().map(|phase| spec.queue(phase.name)));
        let mut functions: Vec<_> = queues
            .flat_map(|queue| [Self::Phase { queue: queue.clone() }, Self::Poison { queue }])
            .filter_map(|function| Some((function_name(&function.queue()?), function)))
            .collect();
        functions.push((SWEEP.to_owned(), Self::Sweep));
        let timers = specs.iter().flat_map(|spec| spec.timers);
        functions.extend(
            timers.map(|timer| (function_name(timer.name), Self::Timer { name: timer.name, schedule: timer.schedule })),
        );
        functions
    }

    /// The queue that it listens to.
    pub fn queue(&self) -> Option<String> {
        match self {
            Self::Phase { queue } => Some(queue.clone()),
            Self::Poison { queue } => Some(format!("{queue}{POISON_SUFFIX}")),
            Self::Sweep | Self::Timer { .. } => None,
        }
    }
}

/// A queue or a timer as its function is called. App settings on Linux hold no dash, so that a function with one in its
/// name could not be switched off by `AzureWebJobs.<name>.Disabled`; names of queues, on the other hand, hold no underscore.
fn function_name(name: &str) -> String {
    name.replace('-', "_")
}

#[derive(Clone)]
struct Triggers {
    engine: Engine,
    functions: Arc<Vec<(String, Function)>>,
    port: u16,
}

/// host.json's functionTimeout is 5 minutes, and it kills the whole handler: an invocation ends itself well before. What
/// it leaves half done is picked up like the work of a worker that died.
const LONGEST_INVOCATION: Duration = Duration::from_secs(270);

/// An envelope holds a message of at most 64 KiB twice, escaped twice.
const LARGEST_INVOCATION: usize = 2 << 20;

/// `POST /<function>` for every function; `port` is the one that the host was told to call.
pub fn router(engine: Engine, specs: &[&PipelineSpec], port: u16) -> Router {
    let state = Triggers { engine, functions: Arc::new(Function::of(specs)), port };
    Router::new()
        .route("/{function}", post(invoke).fallback(async || answer::not_found()))
        .layer(DefaultBodyLimit::max(LARGEST_INVOCATION))
        .with_state(state)
}

async fn invoke(
    State(triggers): State<Triggers>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let known = triggers.functions.iter().find(|(known, _)| *known == name);
    let Some((_, function)) = known.filter(|_| guard::is_invocation(&headers, triggers.port)) else {
        return answer::not_found();
    };
    let work = std::panic::AssertUnwindSafe(run(&triggers.engine, function, &body)).catch_unwind();
    match tokio::time::timeout(LONGEST_INVOCATION, work).await {
        Ok(Ok(Ok(()))) => answer::success(),
        Ok(Ok(Err(reason))) => answer::failure(&name, &reason),
        Ok(Err(_)) => answer::failure(&name, "the invocation panicked"),
        Err(_) => answer::failure(&name, "the invocation took too long and was given up"),
    }
}

async fn run(engine: &Engine, function: &Function, body: &[u8]) -> Result<(), String> {
    let envelope = Envelope::parse(body)?;
    match function {
        Function::Phase { queue } => queue::deliver(engine, queue, &envelope.text()).await,
        Function::Poison { queue } => poison::receive(engine, queue, &envelope.text()).await,
        Function::Sweep => timer::sweep(engine).await,
        Function::Timer { name, .. } => timer::tick(engine, name).await,
    }
}
