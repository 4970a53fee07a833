//! I1: `seq` of a run only grows; a terminal state is never left.

use serde_json::json;
use windlass::engine::{Acknowledged, Poisoned, TellError};
use windlass::model::Run;

use crate::support::probe::{self, end};
use crate::support::world::{Came, World, drill, in_virtual_time};

#[test]
fn i1_seq_grows_with_every_delivery_that_decides_something() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("build", "wait"))).await;
        let mut seen = vec![world.stored(&run.id).seq];
        while !world.stored(&run.id).is_ended() {
            assert_eq!(world.step().await, Came::Acknowledged(Acknowledged::Worked));
            seen.push(world.stored(&run.id).seq);
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
        assert_eq!(world.verify(), Vec::<String>::new());
    });
}

/// Runs that ended in each of the ways there are, with a ticket for each seq that they went through.
async fn ended(world: &World, input: serde_json::Value, cancelled: bool) -> (Run, Vec<Run>) {
    let run = world.start(probe::drilled(input)).await;
    let mut past = vec![world.stored(&run.id)];
    while !past.last().is_some_and(Run::is_ended) {
        if cancelled && past.len() == 2 {
            world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
            past.push(world.stored(&run.id));
        }
        world.step().await;
        past.push(world.stored(&run.id));
    }
    world.lose_messages();
    (world.stored(&run.id), past)
}

#[test]
fn i1_nothing_moves_a_run_that_has_ended() {
    let ends = [(json!({}), false), (drill("build", "fail"), false), (drill("build", "wait"), true)];
    for (input, cancelled) in ends {
        in_virtual_time(async {
            let world = probe::world();
            let (run, past) = ended(&world, input, cancelled).await;
            let engine = world.engine("b");
            for then in &past {
                let came = world.deliver_again("b", then).await;
                assert_eq!(came, Came::Acknowledged(Acknowledged::Ended));
                let queue = format!("probe-{}", then.phase);
                let poisoned = engine.poisoned(&queue, &then.ticket().to_json()).await;
                assert_eq!(poisoned.ok(), Some(Poisoned::Harmless));
            }
            assert!(matches!(engine.cancel(&run.id, "b", "late").await, Err(TellError::Ended)));
            assert!(matches!(engine.signal(&run.id, "release", json!(1)).await, Err(TellError::Ended)));
            world.sweep().await;
            assert_eq!(world.stored(&run.id), run, "it ended as {:?}", end(&run));
            assert!(world.messages().is_empty());
            assert_eq!(world.verify(), Vec::<String>::new());
        });
    }
}
