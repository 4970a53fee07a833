//! A worker that stood still, was taken over, and goes on.

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Outcome};

use crate::support::outside::Outside;
use crate::support::probe::{SUCCEEDED, end};
use crate::support::world::{Came, Chaos, Frozen, World, in_virtual_time, request};
use crate::support::{effects, rig};

const STALE: Came = Came::Acknowledged(Acknowledged::Stale);
const WORKED: Came = Came::Acknowledged(Acknowledged::Worked);

/// A run whose first worker freezes at an operation and is taken over by another, which does all the work.
async fn taken_over<'a>(
    world: &'a World,
    run: &'a windlass::model::Run,
    operation: &str,
    nth: usize,
) -> Frozen<impl Future<Output = Came> + use<'a>> {
    let zombie = world.freeze_at(operation, nth, world.deliver_again("zombie", run)).await;
    sleep(World::LEASE).await;
    assert_eq!(world.deliver_again("heir", run).await, WORKED);
    zombie
}

/// A world whose phase tells in its log which claim it works under.
async fn telling() -> (World, windlass::model::Run) {
    let world = World::of(rig::registry(|ctx| {
        async {
            let claim = ctx.run().claims;
            ctx.log("rig", &format!("claim {claim}"));
            ctx.set_state(&json!({"claim": claim}))?;
            Ok(Outcome::Next)
        }
        .boxed()
    }));
    let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
    world.lose_messages();
    (world, run)
}

async fn what_the_heir_did_stands(
    world: &World,
    run: &windlass::model::Run,
    zombie: Frozen<impl Future<Output = Came>>,
) {
    let (committed, sent) = (world.stored(&run.id), world.sent());
    assert_eq!(zombie.wake().await, STALE);
    assert_eq!(world.stored(&run.id), committed);
    assert_eq!(world.sent(), sent, "a zombie sends nothing");
    world.drain().await;
    let run = world.stored(&run.id);
    assert_eq!((end(&run), run.output.clone()), (SUCCEEDED, json!({"claim": 2})));
    assert_eq!(world.log(&run, rig::SPEC.logs, "rig"), "claim 2\n");
    assert_eq!(world.verify(), Vec::<String>::new());
}

#[test]
fn crash_point_10_a_zombies_append_counts_for_nothing() {
    in_virtual_time(async {
        let (world, run) = telling().await;
        let zombie = taken_over(&world, &run, "append", 1).await;
        what_the_heir_did_stands(&world, &run, zombie).await;
    });
}

#[test]
fn crash_point_10_a_zombies_commit_is_refused() {
    in_virtual_time(async {
        let (world, run) = telling().await;
        // The second write is the commit; what the zombie has appended before is not committed.
        let zombie = taken_over(&world, &run, "transact run:", 2).await;
        what_the_heir_did_stands(&world, &run, zombie).await;
    });
}

#[test]
fn crash_point_10_a_zombies_commit_is_refused_while_its_heir_still_works() {
    in_virtual_time(async {
        let (world, run) = telling().await;
        let zombie = world.freeze_at("transact run:", 2, world.deliver_again("zombie", &run)).await;
        sleep(World::LEASE).await;
        let heir = world.freeze_at("append", 1, world.deliver_again("heir", &run)).await;
        let held = world.stored(&run.id);
        assert_eq!(zombie.wake().await, STALE);
        assert_eq!(world.stored(&run.id), held);
        assert_eq!(heir.wake().await, WORKED);
        world.drain().await;
        let run = world.stored(&run.id);
        assert_eq!(world.log(&run, rig::SPEC.logs, "rig"), "claim 2\n");
        assert_eq!(world.verify(), Vec::<String>::new());
    });
}

#[test]
fn crash_point_10_a_zombies_external_call_is_turned_away_by_its_own_fence() {
    in_virtual_time(async {
        let (world, outside) = World::made(1, Chaos::none(), |injector| {
            let outside = Outside::new(injector);
            (effects::registry(&outside), outside)
        });
        let run = world.start(request(effects::SPEC.name, "effects:1", Value::Null)).await;
        let zombie = taken_over(&world, &run, "outside put", 1).await;
        let committed = world.stored(&run.id);
        assert_eq!(zombie.wake().await, STALE);
        assert_eq!(world.stored(&run.id), committed);
        outside.effects(|effects| assert_eq!(effects.fenced, 1, "{effects:?}"));
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);
    });
}

#[test]
fn crash_point_10_a_zombie_that_finds_its_lease_gone_stops_its_phase() {
    in_virtual_time(async {
        let world = World::of(rig::registry(|ctx| {
            async {
                if ctx.run().claims == 1 {
                    // Whatever it waits for never comes; only the loss of the lease ends it.
                    std::future::pending::<()>().await;
                }
                Ok(Outcome::Next)
            }
            .boxed()
        }));
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        let zombie = World::freeze_after(10, world.deliver_again("zombie", &run)).await.expect("it never answers");
        sleep(World::LEASE).await;
        assert_eq!(world.deliver_again("heir", &run).await, WORKED);
        assert_eq!(zombie.wake().await, STALE);
        assert!(world.now().since(run.created_at) < World::LEASE * 2);
    });
}
