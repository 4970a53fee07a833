//! I2: at most one live lease holder per run and seq.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use serde_json::Value;
use tokio::time::sleep;
use windlass::engine::{Acknowledged, Outcome};
use windlass::model::{Progress, Run};

use crate::support::probe::{self, SUCCEEDED, assert_done, end};
use crate::support::rig;
use crate::support::world::{Came, Frozen, World, in_virtual_time, request};

const BUSY: Came = Came::Acknowledged(Acknowledged::Busy);
const STALE: Came = Came::Acknowledged(Acknowledged::Stale);
const WORKED: Came = Came::Acknowledged(Acknowledged::Worked);

fn owner(run: &Run) -> String {
    match &run.progress {
        Progress::Leased { lease } => lease.owner.clone(),
        other => panic!("nobody holds a run that is {other:?}"),
    }
}

/// A world whose first phase takes this long, and counts how often it is done at the same time.
fn working_for(span: Duration) -> (World, Arc<AtomicU32>) {
    let (at_work, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let seen = Arc::clone(&most);
    let world = World::of(rig::registry(move |_| {
        let (at_work, most) = (Arc::clone(&at_work), Arc::clone(&most));
        async move {
            most.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(span).await;
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok(Outcome::Next)
        }
        .boxed()
    }));
    (world, seen)
}

#[test]
fn i2_of_two_deliveries_at_whatever_turns_only_one_works() {
    for turns in 0.. {
        let over = in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::plain()).await;
            world.lose_messages();
            let first = World::freeze_after(turns, world.deliver_again("a", &run)).await;
            let over = first.is_err();
            let second = world.deliver_again("b", &run).await;
            let first = match first {
                Ok(frozen) => frozen.wake().await,
                Err(came) => came,
            };
            let came = [first, second];
            assert_eq!(came.iter().filter(|came| **came == WORKED).count(), 1, "{came:?}");
            assert!(came.iter().all(|came| [WORKED, BUSY, STALE].contains(came)), "{came:?}");
            world.settle().await;
            assert_done(&world, &run.id);
            over
        });
        if over {
            assert!(turns > 5, "a delivery takes more than {turns} turns");
            return;
        }
    }
}

#[test]
fn i2_a_live_lease_is_renewed_for_as_long_as_its_phase_works() {
    in_virtual_time(async {
        let (world, most) = working_for(World::LEASE * 4);
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        let others = async {
            for _ in 0..7 {
                sleep(World::LEASE / 2).await;
                assert_eq!(world.deliver_again("b", &run).await, BUSY);
                assert!(owner(&world.stored(&run.id)).starts_with("a-"));
            }
        };
        let (came, ()) = tokio::join!(world.deliver_again("a", &run), others);
        assert_eq!((came, most.load(Ordering::SeqCst)), (WORKED, 1));
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);
    });
}

#[test]
fn i2_a_lease_that_nobody_renews_passes_to_one_other_and_never_back() {
    in_virtual_time(async {
        let (world, most) = working_for(Duration::from_secs(10));
        let run = world.start(request(rig::SPEC.name, "rig:1", Value::Null)).await;
        let gone: Frozen<_> = World::freeze_after(5, world.deliver_again("a", &run)).await.expect("it works");
        assert!(owner(&world.stored(&run.id)).starts_with("a-"));
        sleep(World::LEASE).await;
        let heirs = async { tokio::join!(world.deliver_again("b", &run), world.deliver_again("c", &run)) };
        let returning = async {
            sleep(Duration::from_secs(5)).await;
            assert!(!owner(&world.stored(&run.id)).starts_with("a-"));
            gone.wake().await
        };
        let ((b, c), a) = tokio::join!(heirs, returning);
        assert_eq!((a, [b, c].contains(&WORKED), [b, c].contains(&BUSY)), (STALE, true, true));
        assert_eq!(most.load(Ordering::SeqCst), 2, "the one that stood still, and its heir");
        world.settle().await;
        assert_eq!(world.verify(), Vec::<String>::new());
    });
}
