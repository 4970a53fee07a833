//! Timers of pipelines: found by their name, served to the host alone, and a failure is an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;
use windlass::engine::{Engine, Pipeline, PipelineSpec, Registry, Timer, TimerSpec, Updated};
use windlass::model::{Failure, Scope};
use windlass::pipelines::probe;
use windlass::triggers;

use crate::support::world::{Mode, World, in_virtual_time};

const PORT: u16 = 4000;

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

/// An invocation; `by_host` makes it one of the host's.
async fn invoke(world: &World, function: &str, by_host: bool) -> u16 {
    let router = triggers::router(world.engine("handler"), &[&SPEC], PORT);
    let body = json!({"Data": {"timer": {"IsPastDue": false}}, "Metadata": {}}).to_string();
    let agent = if by_host { "Azure-Functions-Host/4.1037.0.0" } else { "curl/8" };
    let invocation = Request::post(format!("/{function}"))
        .header("host", format!("127.0.0.1:{PORT}"))
        .header("user-agent", agent)
        .header("transfer-encoding", "chunked")
        .body(Body::from(body))
        .expect("a request");
    router.oneshot(invocation).await.expect("a router always answers").status().as_u16()
}

#[test]
fn a_timer_does_its_round_when_the_host_says_so_and_for_nobody_else() {
    in_virtual_time(async {
        let (world, falls) = world();
        for round in 1..=3 {
            assert_eq!(invoke(&world, "probe_look", true).await, 200);
            assert_eq!(world.document("probe:1", "rounds"), Some(json!(round)));
        }
        assert_eq!(invoke(&world, "probe_look", false).await, 404);
        assert_eq!(invoke(&world, "probe_nothing", true).await, 404);
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
        assert_eq!(invoke(&world, "probe_look", true).await, 500);
        assert_eq!(invoke(&world, "probe_fall", true).await, 500);
        world.calm();
        assert_eq!(invoke(&world, "probe_look", true).await, 200);
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
