//! Going on where a run failed: another run, once, from the phase that failed, and never over a later one.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use windlass::engine::{Outcome, Pipeline, Registry, Resume, ResumeFn, RetryError, StartError, Started};
use windlass::model::{EventKind, Failure, Run, RunId, Status, Timestamp};

use crate::support::probe::{self, SCOPE, SUCCEEDED, end, said};
use crate::support::rig;
use crate::support::swap;
use crate::support::world::{Mode, World, drill, in_virtual_time, live, request};

async fn retry(world: &World, id: &RunId) -> Result<Started, RetryError> {
    retry_with(world, id, None).await
}

async fn retry_with(world: &World, id: &RunId, key: Option<&str>) -> Result<Started, RetryError> {
    ask(world, id, key).await.expect("the handler lives")
}

async fn ask(world: &World, id: &RunId, key: Option<&str>) -> Option<Result<Started, RetryError>> {
    live(world.engine("client").retry(id, "mender", key.map(str::to_owned))).await
}

/// A run that failed in this phase.
async fn failed_in(world: &World, phase: &str) -> Run {
    let run = world.start(probe::drilled(drill(phase, "fail"))).await;
    world.drain().await;
    let run = world.stored(&run.id);
    assert_eq!((run.status(), run.phase.as_str()), (Status::Failed, phase));
    run
}

#[test]
fn a_retry_is_another_run_that_begins_where_the_first_one_failed() {
    for (at, phase) in probe::PHASES.into_iter().enumerate() {
        in_virtual_time(async {
            let world = probe::world();
            let failed = failed_in(&world, phase).await;
            let started = retry(&world, &failed.id).await.expect("a retry");
            let run = &started.run;
            assert!(!started.replayed && run.id != failed.id);
            assert_eq!((&run.retry_of, run.phase.as_str()), (&Some(failed.id.clone()), phase));
            assert_eq!((&run.scope, &run.input, &run.pipeline), (&failed.scope, &failed.input, &failed.pipeline));
            assert_eq!((run.started_by.as_str(), &run.first_previous), ("mender", &failed.last_hash));
            assert_eq!(world.messages()[0].queue, format!("probe-{phase}"));
            let told = &world.history(&run.id).await[0];
            assert_eq!((told.kind, told.phase.as_str()), (EventKind::Started, phase));
            assert_eq!(told.detail["retry_of"], json!(failed.id));
            world.drain().await;
            let run = world.stored(&run.id);
            assert_eq!(
                (end(&run), said(&world, &run)),
                (SUCCEEDED, probe::PHASES[at..].iter().map(|p| (*p).to_owned()).collect())
            );
            assert_eq!(run.output["phases"], json!(probe::PHASES));
            assert_eq!(world.stored(&failed.id), failed, "what has ended stays as it is");
            assert_eq!(world.verify(), Vec::<String>::new());
        });
    }
}

#[test]
fn a_double_click_gives_the_same_run_twice_at_whatever_turn_it_comes() {
    for turns in 0.. {
        let over = in_virtual_time(async {
            let world = probe::world();
            let failed = failed_in(&world, "deploy").await;
            let first = World::freeze_after(turns, ask(&world, &failed.id, None)).await;
            let over = first.is_err();
            let second = retry(&world, &failed.id).await.expect("a retry");
            let first = match first {
                Ok(frozen) => frozen.wake().await,
                Err(came) => came,
            };
            let first = first.expect("alive").expect("a retry");
            assert_eq!(first.run.id, second.run.id);
            assert!(first.replayed != second.replayed, "one of them started it");
            assert_eq!(world.runs().len(), 2);
            world.drain().await;
            let late = retry(&world, &failed.id).await.expect("the same again");
            assert!(late.replayed && late.run.is_ended());
            assert_eq!(world.verify(), Vec::<String>::new());
            over
        });
        if over {
            assert!(turns > 3, "a retry takes more than {turns} turns");
            return;
        }
    }
}

#[test]
fn a_key_marks_a_retry_as_any_other_request() {
    in_virtual_time(async {
        let world = probe::world();
        let failed = failed_in(&world, "deploy").await;
        let first = retry_with(&world, &failed.id, Some("k")).await.expect("a retry");
        let again = retry_with(&world, &failed.id, Some("k")).await.expect("the same again");
        assert_eq!((again.replayed, &again.run.id), (true, &first.run.id));
        let other = live(world.engine("client").retry(&failed.id, "another", Some("k".into()))).await.expect("alive");
        let other = other.expect_err("another caller's request");
        assert!(matches!(&other, RetryError::Start(StartError::KeyReused(run)) if *run == first.run.id), "{other}");
        let another = retry_with(&world, &failed.id, Some("k2")).await.expect_err("another request");
        assert!(matches!(&another, RetryError::Superseded(run) if *run == first.run.id), "{another}");
        let unkeyed = retry(&world, &failed.id).await.expect_err("another request");
        assert!(matches!(&unkeyed, RetryError::Superseded(run) if *run == first.run.id), "{unkeyed}");
    });
}

#[test]
fn what_cannot_be_retried_is_refused_with_its_cause() {
    in_virtual_time(async {
        let world = probe::world();
        let unknown: RunId = "0123456789-01234567890123456789".parse().expect("an id");
        assert!(matches!(retry(&world, &unknown).await, Err(RetryError::Unknown)));

        let run = world.start(probe::plain()).await;
        for (delivered, expected) in [(0, Status::Pending), (1, Status::Running)] {
            for _ in 0..delivered {
                world.step().await;
            }
            let refused = retry(&world, &run.id).await.expect_err("it runs");
            assert!(matches!(&refused, RetryError::NotEnded { status, .. } if *status == expected), "{refused}");
            assert!(refused.to_string().contains(["prepare", "build"][delivered]), "{refused}");
        }
        world.drain().await;
        assert!(matches!(retry(&world, &run.id).await, Err(RetryError::NothingToRetry)));
        assert_eq!(world.runs().len(), 1);
    });
}

#[test]
fn a_run_is_not_retried_once_a_later_one_has_begun_whether_that_one_has_ended_or_not() {
    in_virtual_time(async {
        let world = probe::world();
        let failed = failed_in(&world, "build").await;
        let later = world.start(probe::plain()).await;
        for _ in ["while it runs", "after its end"] {
            let refused = retry(&world, &failed.id).await.expect_err("the world has moved on");
            assert!(matches!(&refused, RetryError::Superseded(run) if *run == later.id), "{refused}");
            world.drain().await;
        }
    });
}

#[test]
fn a_retry_that_races_a_start_is_told_so_at_whatever_turn_the_start_comes() {
    for turns in 0.. {
        for ended in [false, true] {
            let over = in_virtual_time(async {
                let world = probe::world();
                let failed = failed_in(&world, "build").await;
                let retrying = World::freeze_after(turns, ask(&world, &failed.id, None)).await;
                let over = retrying.is_err();
                let started = world.ask(probe::plain()).await.expect("alive");
                if ended {
                    world.drain().await;
                }
                let retried = match retrying {
                    Ok(frozen) => frozen.wake().await,
                    Err(came) => came,
                };
                match (retried.expect("alive"), started) {
                    (Ok(retried), Err(StartError::Busy { owner, .. })) => assert_eq!(retried.run.id, owner),
                    (Err(RetryError::Superseded(run)), Ok(started)) => assert_eq!(run, started.run.id),
                    (Err(RetryError::Start(StartError::Busy { owner, .. })), Ok(started)) => {
                        assert_eq!(owner, started.run.id);
                    }
                    other => panic!("after {turns} turns both or none began: {other:?}"),
                }
                world.settle().await;
                over
            });
            if over && ended {
                assert!(turns > 3, "a retry takes more than {turns} turns");
                return;
            }
        }
    }
}

#[test]
fn a_retry_that_was_never_queued_may_be_asked_for_again() {
    in_virtual_time(async {
        let world = probe::world();
        let failed = failed_in(&world, "build").await;
        for nth in 1..=3 {
            world.arm_nth("send", nth, Mode::Before);
        }
        let refused = retry(&world, &failed.id).await.expect_err("no queue takes it");
        assert!(matches!(refused, RetryError::Start(StartError::NotQueued(_))), "{refused}");
        let again = retry(&world, &failed.id).await.expect("it is had now");
        assert!(!again.replayed);
        world.settle().await;
        assert_eq!(end(&world.stored(&again.run.id)), SUCCEEDED);
    });
}

#[test]
fn a_retry_stands_every_death_and_every_silence_of_the_storage() {
    for mode in Mode::ALL {
        for nth in 1.. {
            let over = in_virtual_time(async {
                let world = probe::world();
                let failed = failed_in(&world, "deploy").await;
                world.arm_nth("", nth, mode);
                for _ in 0..5 {
                    if let Some(Ok(_)) = ask(&world, &failed.id, None).await {
                        break;
                    }
                }
                let over = world.trace().iter().all(|operation| operation.struck.is_none());
                world.calm();
                let run = retry(&world, &failed.id).await.expect("a retry").run;
                world.settle().await;
                let begun =
                    world.runs().into_iter().filter(|run| run.failure.as_ref().is_none_or(|f| f.code != "not_queued"));
                assert_eq!(begun.count(), 2, "{mode:?} at operation {nth}");
                assert_eq!(said(&world, &world.stored(&run.id)), ["deploy", "verify"]);
                over
            });
            if over {
                assert!(nth > 6, "a retry has more than {nth} operations");
                break;
            }
        }
    }
}

fn resumable(resume: Option<ResumeFn>) -> Registry {
    let failing = rig::registry(|ctx| {
        Box::pin(async move {
            let mended = ctx.state::<Value>()?["mended"] == json!(true);
            if mended { Ok(Outcome::Next) } else { Err(windlass::engine::PhaseError::fatal("broken", "it is broken")) }
        })
    });
    let probes = probe::registry();
    let rigs = failing.iter().map(|pipeline| Pipeline { resume, ..pipeline.clone() });
    Registry::new(rigs.chain(probes.iter().cloned()).collect())
}

/// A world in which a rig has failed.
async fn broken(resume: Option<ResumeFn>) -> (World, RunId) {
    let world = World::of(resumable(resume));
    let run = world.start(request("rig", SCOPE, json!({"of": "the rig"}))).await;
    world.drain().await;
    (world, run.id)
}

#[test]
fn the_pipeline_says_where_a_run_goes_on_and_why_it_cannot() {
    in_virtual_time(async {
        let mended = |run: &Run, now: Timestamp| {
            assert!(run.is_ended() && now >= run.updated_at);
            Ok(Resume { phase: "work", state: json!({"mended": true}) })
        };
        let (world, id) = broken(Some(mended)).await;
        let run = retry(&world, &id).await.expect("a retry").run;
        world.drain().await;
        assert_eq!(end(&world.stored(&run.id)), SUCCEEDED);

        let (world, id) = broken(None).await;
        let refused = retry(&world, &id).await.expect_err("nobody says how");
        assert!(matches!(&refused, RetryError::NotResumable(why) if why.code == "never_resumes"), "{refused}");

        let (world, id) = broken(Some(|_, _| Err(Failure::new("image_gone", "the image is gone")))).await;
        let refused = retry(&world, &id).await.expect_err("the pipeline says no");
        assert!(matches!(&refused, RetryError::NotResumable(why) if why.code == "image_gone"), "{refused}");

        let (world, id) = broken(Some(|_, _| Ok(Resume { phase: "elsewhere", state: json!({}) }))).await;
        let refused = retry(&world, &id).await.expect_err("there is no such phase");
        assert!(matches!(&refused, RetryError::NotResumable(why) if why.code == "no_such_phase"), "{refused}");
        assert_eq!(world.runs().len(), 1);
    });
}

#[test]
fn a_run_of_another_pipeline_in_between_keeps_nobody_from_retrying_unless_it_is_at_work() {
    in_virtual_time(async {
        let mended = |_: &Run, _| Ok(Resume { phase: "work", state: json!({"mended": true}) });
        let (world, id) = broken(Some(mended)).await;
        let probe = world.start(probe::plain()).await;
        let busy = retry(&world, &id).await.expect_err("the scope is taken");
        assert!(matches!(&busy, RetryError::Start(StartError::Busy { owner, .. }) if *owner == probe.id), "{busy}");
        world.drain().await;
        let run = retry(&world, &id).await.expect("a retry").run;
        assert_eq!(run.first_previous, world.stored(&probe.id).last_hash);
        world.settle().await;
    });
}

#[test]
fn a_run_that_was_terminated_or_used_up_its_attempts_can_be_retried_and_has_all_its_time_again() {
    for action in ["block", "flake", "panic"] {
        in_virtual_time(async {
            let world = probe::world();
            let run = world.start(probe::drilled(drill("build", action))).await;
            if action == "block" {
                for _ in 0..2 {
                    world.step().await;
                }
                world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
            }
            world.drain().await;
            sleep(Duration::from_secs(24 * 3600)).await;
            let retried = retry(&world, &run.id).await.expect("a retry").run;
            assert_eq!(retried.deadline_at, retried.created_at + probe::SPEC.budget);
            world.settle().await;
            assert_eq!(end(&world.stored(&retried.id)), SUCCEEDED, "{action}");
        });
    }
}

#[test]
fn a_retry_of_a_retry_goes_on_from_what_that_one_finished() {
    in_virtual_time(async {
        let world = probe::world();
        let failed = failed_in(&world, "build").await;
        let first = retry(&world, &failed.id).await.expect("a retry").run;
        world.step().await;
        world.engine("operator").cancel(&first.id, "operator", "enough").await.expect("it runs");
        world.drain().await;
        let second = retry(&world, &first.id).await.expect("a retry").run;
        assert_eq!((second.phase.as_str(), &second.retry_of), ("deploy", &Some(first.id)));
        world.settle().await;
        assert_eq!(world.stored(&second.id).output["phases"], json!(probe::PHASES));
    });
}

#[test]
fn a_phase_that_was_done_but_not_left_is_done_again_and_told_once() {
    in_virtual_time(async {
        let world = probe::world();
        let run = world.start(probe::plain()).await;
        // It is cancelled after the phase has done its work.
        let working = world.freeze_at("append", 1, world.deliver_again("worker", &run)).await;
        world.engine("operator").cancel(&run.id, "operator", "enough").await.expect("it runs");
        working.wake().await;
        world.drain().await;
        let ended = world.stored(&run.id);
        assert_eq!((ended.status(), said(&world, &ended)), (Status::Terminated, vec!["prepare".to_owned()]));
        let retried = retry(&world, &run.id).await.expect("a retry").run;
        world.settle().await;
        assert_eq!(world.stored(&retried.id).output["phases"], json!(probe::PHASES));
    });
}

#[test]
fn a_run_that_went_back_can_be_retried_and_the_other_one_can_go_back_again() {
    in_virtual_time(async {
        let anew: ResumeFn = |run, _| {
            let from = run.fallback.as_ref().map(|fallback| fallback.from.as_str());
            assert_eq!((from, run.phase.as_str()), (Some("watch"), "restore"));
            Ok(Resume { phase: "remember", state: Value::Null })
        };
        let swaps = swap::registry();
        let swaps = swaps.iter().map(|pipeline| Pipeline { resume: Some(anew), ..pipeline.clone() });
        let world = World::of(Registry::new(swaps.collect()));
        let run = world.start(swap::asked(&swap::watching("fail"))).await;
        world.settle().await;
        assert_eq!(end(&world.stored(&run.id)), swap::FAILED);
        let retried = retry(&world, &run.id).await.expect("a retry").run;
        assert_eq!((&retried.fallback, &retried.failure, retried.receipt.executions), (&None, &None, 0));
        world.settle().await;
        let retried = world.stored(&retried.id);
        assert!(retried.fallback.is_some() && end(&retried) == swap::FAILED);
    });
}
