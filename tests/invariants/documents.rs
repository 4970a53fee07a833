//! Documents: written in one transaction with the step that they belong to, or by compare-and-swap outside of runs.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::context::PhaseContext;
use windlass::engine::ports::StoreError;
use windlass::engine::{Acknowledged, Outcome, PhaseError, Updated};
use windlass::model::{Run, Scope};

use crate::support::probe::{SUCCEEDED, end};
use crate::support::rig;
use crate::support::swap::{self, watching};
use crate::support::world::{Came, Mode, World, in_virtual_time, request};

const SCOPE: &str = "rig:1";
const WORKED: Came = Came::Acknowledged(Acknowledged::Worked);

fn scope() -> Scope {
    Scope::new(SCOPE)
}

/// A run whose first phase does `deed`.
async fn run_of(
    deed: impl for<'a> Fn(&'a mut PhaseContext) -> BoxFuture<'a, Result<Outcome, PhaseError>> + Send + Sync + 'static,
) -> (World, Run) {
    let world = World::of(rig::registry(deed));
    let run = world.start(request(rig::SPEC.name, SCOPE, Value::Null)).await;
    world.lose_messages();
    (world, run)
}

fn code(world: &World, run: &Run) -> Option<String> {
    world.stored(&run.id).failure.map(|failure| failure.code)
}

#[test]
fn a_phase_sees_its_own_changes_at_once_and_others_see_them_with_its_next_step() {
    in_virtual_time(async {
        let (world, run) = run_of(|ctx| {
            async {
                assert_eq!(ctx.document::<u64>("count").await?, None);
                ctx.set_document("count", &1)?;
                assert_eq!(ctx.document("count").await?, Some(1));
                ctx.log("rig", "one");
                ctx.checkpoint().await?;
                ctx.set_document("count", &2)?;
                ctx.set_document("other", &json!({"a": [1]}))?;
                assert_eq!(ctx.document("count").await?, Some(2));
                ctx.remove_document("count")?;
                assert_eq!(ctx.document::<u64>("count").await?, None);
                ctx.log("rig", "two");
                Ok(Outcome::Next)
            }
            .boxed()
        })
        .await;
        let first = world.freeze_at("append", 1, world.deliver_again("a", &run)).await;
        assert_eq!(world.document(SCOPE, "count"), None);
        let second = world.freeze_at("append", 1, first.wake()).await;
        assert_eq!(world.document(SCOPE, "count"), Some(json!(1)));
        assert_eq!(second.wake().await, WORKED);
        assert_eq!((world.document(SCOPE, "count"), world.document(SCOPE, "other")), (None, Some(json!({"a": [1]}))));
        assert_eq!(world.engine("b").document(&scope(), "other").await, Ok(Some(json!({"a": [1]}))));
    });
}

#[test]
fn a_document_and_its_step_are_written_together_or_not_at_all() {
    // Each delivery writes its claim and its commit, and two of them a checkpoint.
    for nth in 1..=10 {
        for mode in Mode::ALL {
            in_virtual_time(async {
                let world = swap::world();
                let run = world.start(swap::asked(&watching("fail"))).await;
                world.arm_nth("transact run:", nth, mode);
                while !world.stored(&run.id).is_ended() {
                    if world.messages().is_empty() {
                        sleep(World::LEASE + World::GRACE).await;
                        world.sweep().await;
                    }
                    world.step().await;
                    assert!(swap::is_consistent(&world, &world.stored(&run.id)), "{mode:?} at {nth}");
                }
                assert!(world.trace().iter().any(|operation| operation.struck.is_some()));
                assert_eq!(world.document(swap::SCOPE, "thing"), Some(json!({"is": "old"})));
            });
        }
    }
}

#[test]
fn a_commit_that_meets_a_changed_document_decides_again_and_writes_whole() {
    for missing in [true, false] {
        in_virtual_time(async {
            let (world, run) = run_of(|ctx| {
                async {
                    ctx.set_document("thing", &"mine")?;
                    Ok(Outcome::Next)
                }
                .boxed()
            })
            .await;
            let outside = world.engine("outside");
            let update =
                async |says: &'static str| outside.update_document(&scope(), "thing", |_| Some(says.to_owned())).await;
            if !missing {
                update("theirs").await.expect("storage answers");
            }
            let at_work = world.freeze_at("transact run:", 2, world.deliver_again("a", &run)).await;
            update("theirs again").await.expect("storage answers");
            assert_eq!(at_work.wake().await, WORKED);
            assert_eq!(world.document(SCOPE, "thing"), Some(json!("mine")));
            world.drain().await;
            world.settle().await;
            assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);
        });
    }
}

#[test]
fn a_worker_that_was_overtaken_writes_no_document() {
    in_virtual_time(async {
        let (world, run) = run_of(|ctx| {
            async {
                let claim = ctx.run().claims;
                ctx.set_document("claim", &claim)?;
                Ok(Outcome::Next)
            }
            .boxed()
        })
        .await;
        let zombie = world.freeze_at("transact run:", 2, world.deliver_again("zombie", &run)).await;
        sleep(World::LEASE).await;
        assert_eq!(world.deliver_again("heir", &run).await, WORKED);
        assert_eq!(zombie.wake().await, Came::Acknowledged(Acknowledged::Stale));
        assert_eq!(world.document(SCOPE, "claim"), Some(json!(2)));
    });
}

#[test]
fn a_document_that_cannot_be_read_fails_its_run_and_is_named() {
    type Ask = for<'a> fn(&'a mut PhaseContext) -> BoxFuture<'a, Result<Outcome, PhaseError>>;
    let number: Ask = |ctx| async { ctx.document::<u64>("thing").await.map(|_| Outcome::Next) }.boxed();
    for gone in [false, true] {
        in_virtual_time(async {
            let (world, run) = run_of(number).await;
            let outside = world.engine("outside");
            outside.update_document(&scope(), "thing", |_| Some("a text".to_owned())).await.expect("storage answers");
            world.tables.lock().expect("never poisoned").gone = gone.then(|| "doc:thing".to_owned());
            assert_eq!(world.deliver_again("a", &run).await, WORKED);
            assert_eq!(code(&world, &run).as_deref(), Some("document_unreadable"));
            let said = world.stored(&run.id).failure.expect("a cause").message;
            assert!(said.contains("document thing of rig:1") && said.contains("BlobNotFound") == gone, "{said}");
            let answer = outside.document::<u64>(&scope(), "thing").await;
            assert!(
                matches!(&answer, Err(StoreError::Unreadable(row)) if row.why.contains("thing of rig:1")),
                "{answer:?}"
            );
            let answer = outside.update_document(&scope(), "thing", |_: Option<&u64>| Some(1)).await;
            assert!(
                matches!(&answer, Err(StoreError::Unreadable(row)) if row.why.contains("thing of rig:1")),
                "{answer:?}"
            );
        });
    }
}

#[test]
fn storage_that_is_silent_over_a_document_is_asked_again() {
    in_virtual_time(async {
        let (world, run) = run_of(|ctx| {
            async {
                ctx.document::<u64>("thing").await?;
                Ok(Outcome::Next)
            }
            .boxed()
        })
        .await;
        world.arm("get doc:thing", Mode::Before);
        world.deliver_again("a", &run).await;
        assert_eq!(world.stored(&run.id).attempt, 2);
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);
    });
}

#[test]
fn a_name_that_could_not_be_a_key_is_refused_before_anything_is_written() {
    let long = "x".repeat(65);
    for name in ["", "Thing", "a/b", "a b", "thing:1", long.as_str()] {
        in_virtual_time(async {
            let bad = name.to_owned();
            let (world, run) = run_of(move |ctx| {
                let bad = bad.clone();
                async move { ctx.set_document(&bad, &1).map(|()| Outcome::Next) }.boxed()
            })
            .await;
            world.deliver_again("a", &run).await;
            assert_eq!(code(&world, &run).as_deref(), Some("document_unwritable"));
            let answer = world.engine("b").update_document(&scope(), name, |_| Some(1)).await;
            assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
            assert_eq!(world.count("transact doc:"), 0);
        });
    }
    in_virtual_time(async {
        let world = swap::world();
        let written = world.engine("b").update_document(&scope(), &long[1..], |_| Some(1)).await;
        assert_eq!(written, Ok(Updated::Written(1)));
    });
}

/// Writes who it is, unless somebody did within the last minute.
async fn throttled(world: &World, who: u64) -> Result<Updated<(u64, i64)>, StoreError> {
    let now = world.now().as_millis();
    let decide = |last: Option<&(u64, i64)>| last.is_none_or(|(_, at)| at + 60_000 <= now).then_some((who, now));
    world.engine("caller").update_document(&scope(), "check", decide).await
}

#[test]
fn of_two_callers_that_race_at_whatever_turn_one_wins_and_the_other_sees_it() {
    for earlier in [false, true] {
        for turns in 0.. {
            let over = in_virtual_time(async {
                let world = swap::world();
                if earlier {
                    throttled(&world, 0).await.expect("storage answers");
                    sleep(std::time::Duration::from_secs(60)).await;
                }
                let first = World::freeze_after(turns, throttled(&world, 1)).await;
                let second = throttled(&world, 2).await.expect("storage answers");
                let (first, over) = match first {
                    Ok(first) => (first.wake().await, false),
                    Err(first) => (first, true),
                };
                let winner = world.document(SCOPE, "check").expect("one of them wrote")[0].clone();
                match (first.expect("storage answers"), second) {
                    (Updated::Written((1, _)), Updated::Left(Some((1, _)))) => assert_eq!(winner, json!(1)),
                    (Updated::Left(Some((2, _))), Updated::Written((2, _))) => assert_eq!(winner, json!(2)),
                    both => panic!("{both:?}"),
                }
                over
            });
            if over {
                assert!(turns > 2, "an update takes more than {turns} turns");
                break;
            }
        }
    }
}

#[test]
fn an_update_whose_reply_was_lost_is_known_again_by_its_operation() {
    in_virtual_time(async {
        let world = swap::world();
        for who in 1..=2 {
            world.arm("transact doc:", Mode::After);
            assert!(matches!(throttled(&world, who).await, Ok(Updated::Written((by, _))) if by == who));
            assert_eq!(world.count("transact doc:"), usize::try_from(who).expect("few"), "no write is repeated");
            sleep(std::time::Duration::from_secs(60)).await;
        }
    });
}

#[test]
fn an_update_that_was_lost_is_tried_again_and_not_for_ever() {
    in_virtual_time(async {
        let world = swap::world();
        world.arm("get doc:", Mode::Before);
        world.arm("transact doc:", Mode::Before);
        assert!(matches!(throttled(&world, 1).await, Ok(Updated::Written(_))));
        sleep(std::time::Duration::from_secs(60)).await;
        let before = world.trace().len();
        for nth in 1..=20 {
            world.arm_nth("transact doc:", nth, Mode::Before);
        }
        let answer = throttled(&world, 2).await;
        assert!(matches!(&answer, Err(StoreError::Unavailable(why)) if why.contains("check of rig:1")), "{answer:?}");
        assert!(world.trace().len() - before < 20);
    });
}
