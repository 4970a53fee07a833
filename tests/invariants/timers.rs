//! Timers of pipelines: found by their name, served to the host alone, and a failure is an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::json;
use windlass::engine::{Engine, Pipeline, PipelineSpec, Registry, Timer, TimerSpec, Updated};
use windlass::model::{Failure, Scope};
use windlass::pipelines::probe;

use crate::invocation::timer;
use crate::support::world::{Mode, World, in_virtual_time};

const SPEC: PipelineSpec = PipelineSpec {
    timers: &[
        TimerSpec { name: "probe-look", schedule: "0 */30 * * * *" },
        TimerSpec { name: "probe-fall", schedule: "0 0 * * * *" },
    ],
    ..probe::SPEC
};

/// Counts its rounds in a document.
struct Look;

#[async_trait]
impl Timer for Look {
    async fn tick(&self, engine: &Engine) -> Result<(), Failure> {
        let more = |count: Option<&u32>| Some(count.copied().unwrap_or_default() + 1);
        match engine.update_document(&Scope::new("probe:1"), "rounds", more).await {
            Ok(Updated::Written(_) | Updated::Left(_)) => Ok(()),
            Err(error) => Err(Failure::new("no_round", error.to_string())),
        }
    }
}

struct Fall(Arc<AtomicU32>);

#[async_trait]
impl Timer for Fall {
    async fn tick(&self, _: &Engine) -> Result<(), Failure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("it falls");
    }
}

fn world() -> (World, Arc<AtomicU32>) {
    let falls = Arc::new(AtomicU32::new(0));
    let timers: Vec<Arc<dyn Timer>> = vec![Arc::new(Look), Arc::new(Fall(Arc::clone(&falls)))];
    let world = World::of(Registry::new(vec![Pipeline { spec: &SPEC, timers, ..probe::pipeline() }]));
    (world, falls)
}

#[test]
fn a_timer_does_its_round_when_the_host_says_so_and_for_nobody_else() {
    in_virtual_time(async {
        let (world, falls) = world();
        for round in 1..=3 {
            assert_eq!(timer(&world, &SPEC, "probe_look", true).await, 200);
            assert_eq!(world.document("probe:1", "rounds"), Some(json!(round)));
        }
        assert_eq!(timer(&world, &SPEC, "probe_look", false).await, 404);
        assert_eq!(timer(&world, &SPEC, "probe_nothing", true).await, 404);
        assert_eq!(world.document("probe:1", "rounds"), Some(json!(3)));
        assert_eq!(falls.load(Ordering::SeqCst), 0, "each timer is found by its name");
    });
}

#[test]
fn a_round_that_fails_or_panics_is_answered_and_the_next_one_comes() {
    in_virtual_time(async {
        let (world, falls) = world();
        for nth in 1..=10 {
            world.arm_nth("transact doc:", nth, Mode::Before);
        }
        assert_eq!(timer(&world, &SPEC, "probe_look", true).await, 500);
        assert_eq!(timer(&world, &SPEC, "probe_fall", true).await, 500);
        world.calm();
        assert_eq!(timer(&world, &SPEC, "probe_look", true).await, 200);
        assert_eq!((world.document("probe:1", "rounds"), falls.load(Ordering::SeqCst)), (Some(json!(1)), 1));
    });
}

#[test]
fn a_timer_that_no_pipeline_has_is_named() {
    in_virtual_time(async {
        let (world, _) = world();
        let failure = world.engine("handler").tick("probe-nothing").await.expect_err("there is none");
        assert_eq!(failure.code, "unknown_timer");
        assert!(failure.message.contains("probe-nothing"), "{failure}");
    });
}
