//! A receipt has what was done for its run: exactly while nothing goes wrong, and never less than its writes tell.

use serde_json::json;
use windlass::engine::Acknowledged;
use windlass::model::{Receipt, Run};
use windlass::pipelines::probe::RELEASE;

use crate::support::probe::{self, SCOPE};
use crate::support::rig;
use crate::support::world::{Came, Mode, World, drill, in_virtual_time, request};

/// Delivers everything, and returns how many deliveries claimed the run and how many there were.
async fn drain(world: &World) -> (u64, u64) {
    let (mut worked, mut all) = (0, 0);
    while !world.messages().is_empty() {
        worked += u64::from(world.step().await == Came::Acknowledged(Acknowledged::Worked));
        all += 1;
    }
    (worked, all)
}

/// What was asked of the storage so far, queues aside.
fn asked(world: &World) -> (u64, u64) {
    let count = |names: &[&str]| names.iter().map(|name| world.count(name) as u64).sum();
    (count(&["get ", "transact ", "range "]), count(&["append ", "read "]))
}

async fn assert_counted(world: &World, run: &Run) {
    let (executions, received) = drain(world).await;
    let (table, blob) = asked(world);
    let expected = Receipt {
        executions,
        table_operations: table,
        queue_operations: world.sent() + 2 * received,
        blob_operations: blob,
        log_bytes: world.log(run, probe::SPEC.logs, probe::LOG).len() as u64,
    };
    let run = world.stored(&run.id);
    assert!(run.is_ended());
    assert_eq!(Receipt { log_bytes: 0, ..run.receipt }, Receipt { log_bytes: 0, ..expected });
    assert!(run.receipt.cost_usd() > 0.0);
}

#[test]
fn a_receipt_counts_waits_attempts_and_failures() {
    for input in [json!({}), drill("build", "wait"), drill("prepare", "flake"), drill("deploy", "fail")] {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::drilled(input)).await;
            assert_counted(&world, &run).await;
        });
    }
}

#[test]
fn a_receipt_counts_what_somebody_told_the_run_and_the_ticket_that_it_cost() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("prepare", "block"))).await;
        world.step().await;
        let before = world.stored(&run.id).receipt;
        world.engine("operator").signal(&run.id, RELEASE, json!(true)).await.expect("it waits");
        let told = world.stored(&run.id).receipt - before;
        assert_eq!(told, Receipt { table_operations: 2, queue_operations: 1, ..Receipt::default() });
    });
}

#[test]
fn a_receipt_counts_the_checkpoints_documents_and_appends_of_a_phase() {
    in_virtual_time(async {
        let world = World::of(rig::registry(|ctx| {
            Box::pin(async move {
                ctx.log("told", "a line");
                ctx.set_document("left", &json!({"a": 1}))?;
                ctx.checkpoint().await?;
                ctx.document::<serde_json::Value>("left").await?;
                ctx.log("told", "another");
                Ok(windlass::engine::Outcome::Next)
            })
        }));
        let run = world.start(request("rig", SCOPE, json!({}))).await;
        assert_counted(&world, &run).await;
        assert_eq!(world.stored(&run.id).receipt.log_bytes, "a line\nanother\n".len() as u64);
    });
}

#[test]
fn a_write_whose_reply_was_lost_is_counted_once_with_the_look_that_found_it() {
    in_virtual_time(async {
        let world = probe::world();
        // The claim.
        world.arm("transact run:", Mode::After);
        let run = world.start(probe::plain()).await;
        assert_counted(&world, &run).await;
    });
}

#[test]
fn a_write_that_was_repeated_is_counted_again() {
    in_virtual_time(async {
        let world = probe::world();
        world.arm_nth("transact run:", 8, Mode::Before);
        let run = world.start(probe::plain()).await;
        assert_counted(&world, &run).await;
    });
}
