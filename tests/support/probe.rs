//! The probe, as most tests use it.

use serde_json::{Value, json};
use windlass::engine::{Registry, StartRequest};
use windlass::model::{End, Progress, Run, RunId, Verdict};
use windlass::pipelines::probe::pipeline;
pub use windlass::pipelines::probe::{LOG, SPEC};

use super::world::{World, request};

pub const SCOPE: &str = "probe:1";
pub const PHASES: [&str; 4] = ["prepare", "build", "deploy", "verify"];
pub const SUCCEEDED: End = End::Completed(Verdict::Succeeded);

pub fn registry() -> Registry {
    Registry::new(vec![pipeline()])
}

pub fn world() -> World {
    World::of(registry())
}

/// A run that simply succeeds.
pub fn plain() -> StartRequest {
    drilled(json!({}))
}

pub fn drilled(input: Value) -> StartRequest {
    request(SPEC.name, SCOPE, input)
}

/// The phases that left their line in the log, in order.
pub fn said(world: &World, run: &Run) -> Vec<String> {
    let log = world.log(run, SPEC.logs, LOG);
    log.lines().filter_map(|line| line.split(':').next()).map(str::to_owned).collect()
}

pub fn end(run: &Run) -> End {
    match run.progress {
        Progress::Ended { end, .. } => end,
        ref other => panic!("the run is still {other:?}"),
    }
}

/// The run succeeded, every phase once, and no promise was broken on the way.
pub fn assert_done(world: &World, id: &RunId) {
    let run = world.stored(id);
    assert_eq!(end(&run), SUCCEEDED);
    assert_eq!(said(world, &run), PHASES);
    assert_eq!(world.lock_owner(SCOPE), None);
    assert_eq!(world.verify(), Vec::<String>::new());
}
