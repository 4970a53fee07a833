//! Phases that nothing is delivered to: what is in them stays, and goes on when they are open again.

use std::collections::BTreeMap;

use tokio::time::sleep;
use windlass::engine::{Engine, StartError};

use crate::support::probe;
use crate::support::world::{World, in_virtual_time};

fn closed(world: &World, queue: &str) -> Engine {
    world.engine("sweep").closing(BTreeMap::from([(queue.to_owned(), "it is off".to_owned())]))
}

#[test]
fn a_run_in_a_closed_phase_gets_no_ticket_more_and_is_not_failed() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.step().await;
        world.lose_messages();
        let before = world.stored(&run.id);
        sleep(World::GRACE * 2).await;
        let engine = closed(&world, "probe-build");
        for _ in 0..3 {
            let report = engine.sweep().await.expect("the sweep comes round");
            assert_eq!((report.seen, report.closed, report.resent, report.failed), (1, 1, 0, 0));
        }
        assert_eq!((world.messages().len(), world.stored(&run.id)), (0, before));

        let report = world.sweep().await;
        assert_eq!((report.closed, report.resent), (0, 1));
        world.drain().await;
        probe::assert_done(&world, &run.id);
    });
}

#[test]
fn a_run_on_its_way_to_a_closed_phase_comes_as_far_as_it_can() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        world.step().await;
        sleep(World::GRACE * 2).await;
        let report = closed(&world, "probe-deploy").sweep().await.expect("the sweep comes round");
        assert_eq!((report.closed, report.resent), (0, 1), "it is in build");
        world.drain().await;
        probe::assert_done(&world, &run.id);
    });
}

#[test]
fn a_start_that_would_come_to_a_closed_phase_writes_nothing() {
    in_virtual_time(async {
        let world = probe::world();
        let engine = closed(&world, "probe-verify");
        let Err(StartError::Closed { pipeline, reasons }) = engine.start(probe::plain()).await else {
            panic!("it was started");
        };
        assert_eq!((pipeline, reasons), ("probe", vec!["it is off".to_owned()]));
        assert!(world.tables.lock().expect("never poisoned").rows.is_empty());
        assert_eq!(world.messages().len(), 0);
        assert_eq!((engine.closed("probe", "verify"), engine.closed("probe", "build")), (Some("it is off"), None));
    });
}
