//! I5 over all runs of a scope: each run's first event follows the last one of the run before it, whoever races.

use serde_json::json;
use windlass::engine::{Chronicle, StartError};
use windlass::model::{GENESIS, Run, Scope};

use crate::support::probe::{self, SCOPE};
use crate::support::rig;
use crate::support::world::{Mode, World, drill, in_virtual_time, request};

async fn chronicle(world: &World) -> Chronicle {
    world.engine("reader").chronicle(&Scope::new(SCOPE), 100, None).await.expect("a chronicle can be read")
}

/// The chain holds, and joins these runs, the newest first.
async fn assert_chained(world: &World, runs: &[&Run]) {
    let chronicle = chronicle(world).await;
    assert_eq!((chronicle.broken, chronicle.begins_at), (None, None));
    assert!(chronicle.intact && chronicle.entries.iter().all(|entry| entry.intact));
    let found: Vec<_> = chronicle.entries.iter().map(|entry| &entry.run.id).collect();
    assert_eq!(found, runs.iter().map(|run| &run.id).collect::<Vec<_>>());
    assert_eq!(world.verify().into_iter().filter(|breach| breach.starts_with("I5")).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn i5_each_run_follows_the_one_before_it_however_that_one_ended() {
    in_virtual_time(async {
        let world = probe::world();
        let first = world.start(probe::plain()).await;
        assert_eq!(first.first_previous, GENESIS);
        world.drain().await;
        let second = world.start(probe::drilled(drill("deploy", "fail"))).await;
        assert_eq!(second.first_previous, world.stored(&first.id).last_hash);
        world.drain().await;
        let third = world.start(probe::drilled(drill("build", "block"))).await;
        for _ in 0..2 {
            world.step().await;
        }
        world.engine("operator").cancel(&third.id, "operator", "enough").await.expect("it runs");
        world.drain().await;
        // It is never queued.
        for nth in 1..=3 {
            world.arm_nth("send", nth, Mode::Before);
        }
        let aborted = world.ask(probe::plain()).await.expect("alive").expect_err("nothing takes its ticket");
        assert!(matches!(aborted, StartError::NotQueued(_)), "{aborted}");
        let fourth = &world.runs()[0];
        let fifth = world.start(probe::plain()).await;
        assert_chained(&world, &[&fifth, fourth, &third, &second, &first]).await;
        world.drain().await;
        assert_chained(&world, &[&fifth, fourth, &third, &second, &first]).await;
    });
}

#[test]
fn i5_a_start_that_meets_the_end_of_another_run_follows_what_that_one_ended_with() {
    in_virtual_time(async {
        let world = probe::world();
        let first = world.start(probe::drilled(drill("prepare", "fail"))).await;
        // It has read where the chain ends, and then the chain ends elsewhere.
        let late = world.freeze_at("transact lock", 1, world.ask(probe::plain())).await;
        world.step().await;
        let second = late.wake().await.expect("alive").expect("the scope is free").run;
        assert_eq!(second.first_previous, world.stored(&first.id).last_hash);
        world.drain().await;
        assert_chained(&world, &[&second, &first]).await;
    });
}

#[test]
fn i5_a_start_that_was_overtaken_by_a_whole_run_bears_an_id_that_is_newer() {
    in_virtual_time(async {
        let world = probe::world();
        let late = world.freeze_at("transact lock", 1, world.ask(probe::plain())).await;
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        let first = world.start(probe::plain()).await;
        world.drain().await;
        let second = late.wake().await.expect("alive").expect("the scope is free").run;
        assert!(second.id < first.id, "the newest sorts first");
        world.drain().await;
        assert_chained(&world, &[&second, &first]).await;
        tokio::time::sleep(std::time::Duration::from_secs(600)).await;
        let swept = world.sweep().await;
        assert_eq!((swept.seen, swept.failed), (2, 0), "what was announced in vain was taken back");
    });
}

#[test]
fn i5_two_racing_starts_leave_one_run_in_the_chain() {
    for turns in 0..12 {
        in_virtual_time(async {
            let world = probe::world();
            let before = world.start(probe::plain()).await;
            world.drain().await;
            let one = World::freeze_after(turns, world.ask(probe::plain())).await;
            let other = world.ask(probe::plain()).await.expect("alive");
            let one = match one {
                Ok(frozen) => frozen.wake().await,
                Err(came) => came,
            };
            let runs: Vec<_> = [one.expect("alive"), other].into_iter().flatten().map(|started| started.run).collect();
            assert_eq!(runs.len(), 1, "one of them is told who is busy");
            assert_chained(&world, &[&runs[0], &before]).await;
        });
    }
}

#[test]
fn i5_the_chain_holds_whatever_becomes_of_any_write_of_a_start_and_of_an_end() {
    for (operation, nth) in [("get chain", 1), ("get chain", 2), ("transact lock", 1), ("transact run:", 2)] {
        for mode in Mode::ALL {
            in_virtual_time(async {
                let world = probe::world();
                let first = world.start(probe::plain()).await;
                world.drain().await;
                world.arm_nth(operation, nth, mode);
                world.ask(probe::drilled(drill("prepare", "fail"))).await;
                world.settle().await;
                let third = world.start(probe::plain()).await;
                world.settle().await;
                let runs = world.runs();
                assert_eq!((&runs[0].id, &runs[runs.len() - 1].id), (&third.id, &first.id));
                assert_chained(&world, &runs.iter().collect::<Vec<_>>()).await;
            });
        }
    }
}

/// Runs as they lay before scopes had a chain.
fn forget_the_chain(world: &World) {
    let mut tables = world.tables.lock().expect("never poisoned");
    tables.rows.retain(|(_, key), _| key != "chain");
    for row in tables.rows.values_mut() {
        row.record.remove("first_previous");
    }
}

#[test]
fn i5_the_first_start_behind_rows_that_are_older_than_the_chain_begins_it() {
    in_virtual_time(async {
        let world = probe::world();
        let old = world.start(probe::plain()).await;
        world.drain().await;
        forget_the_chain(&world);
        assert_chained(&world, &[&old]).await;
        let first = world.start(probe::plain()).await;
        assert_eq!(first.first_previous, GENESIS);
        world.drain().await;
        let second = world.start(probe::plain()).await;
        assert_eq!(second.first_previous, world.stored(&first.id).last_hash);
        let chronicle = chronicle(&world).await;
        assert_eq!((chronicle.broken, chronicle.begins_at, chronicle.entries.len()), (None, None, 3));
    });
}

#[test]
fn i5_a_run_that_is_older_than_the_chain_begins_it_when_it_ends() {
    in_virtual_time(async {
        let world = probe::world();
        let old = world.start(probe::plain()).await;
        world.step().await;
        forget_the_chain(&world);
        assert_eq!(world.sweep().await.breaches, []);
        world.drain().await;
        let next = world.start(probe::plain()).await;
        assert_eq!(next.first_previous, world.stored(&old.id).last_hash);
        assert_chained(&world, &[&next, &old]).await;
    });
}

#[test]
fn i5_the_sweep_finds_a_live_run_that_the_chain_does_not_end_with() {
    in_virtual_time(async {
        let world = probe::world();
        world.start(probe::plain()).await;
        world.drain().await;
        let old = world.tables.lock().expect("never poisoned").rows.clone();
        world.start(probe::plain()).await;
        {
            let mut tables = world.tables.lock().expect("never poisoned");
            tables.rows.extend(old.into_iter().filter(|((_, key), _)| key == "chain"));
        }
        let breaches = world.sweep().await.breaches;
        assert!(breaches.len() == 1 && breaches[0].what.contains("chain"), "{breaches:?}");
    });
}

#[test]
fn a_chronicle_lists_the_runs_of_the_pipelines_that_were_asked_for_and_checks_those_in_between() {
    in_virtual_time(async {
        let both = windlass::engine::Registry::new(
            probe::registry()
                .iter()
                .chain(rig::registry(|_| Box::pin(async { Ok(windlass::engine::Outcome::Next) })).iter())
                .cloned()
                .collect(),
        );
        let world = World::of(both);
        for pipeline in ["probe", "rig", "probe", "rig", "probe"] {
            world.start(request(pipeline, SCOPE, json!({}))).await;
            world.drain().await;
        }
        let engine = world.engine("reader");
        let scope = Scope::new(SCOPE);
        let read = async |limit: usize, pipelines: Option<&[&str]>| {
            let chronicle = engine.chronicle(&scope, limit, pipelines).await.expect("a chronicle");
            (chronicle.entries.len(), chronicle.broken)
        };
        assert_eq!(read(100, Some(&["probe"])).await, (3, None));
        assert_eq!(read(2, Some(&["probe"])).await, (2, None));
        assert_eq!(read(4, None).await, (4, None));
        assert_eq!(read(0, None).await, (0, None));
        assert_eq!(read(100, Some(&["another"])).await, (0, None));
        {
            let rig = &world.runs()[1];
            assert_eq!(rig.pipeline, "rig");
            let key = (rig.id.tag().to_string(), format!("event:{}:00000002", rig.id.name()));
            world.tables.lock().expect("never poisoned").rows.remove(&key);
        }
        let (listed, broken) = read(100, Some(&["probe"])).await;
        assert!(listed == 3 && broken.is_some_and(|broken| broken.contains("event 2")));
    });
}

#[test]
fn a_chronicle_of_a_scope_without_runs_is_empty_and_holds() {
    in_virtual_time(async {
        assert_chained(&probe::world(), &[]).await;
    });
}

#[test]
fn a_chronicle_that_is_read_while_a_run_ends_is_read_again() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::drilled(drill("prepare", "fail"))).await;
        let reading = world.freeze_at("range event:", 1, chronicle(&world)).await;
        world.step().await;
        let chronicle = reading.wake().await;
        assert_eq!((chronicle.broken, chronicle.entries.len()), (None, 1));
        assert_eq!(chronicle.entries[0].run, world.stored(&run.id));
    });
}
