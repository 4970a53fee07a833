//! An app in multiple revision mode: the new revision is proved without traffic and watched under it.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::dev::azure::{RequestEffect, RevisionEffect, Since};
use windlass::model::Progress;
use windlass::pipelines::upgrade::RolloutSettings;
use windlass::pipelines::upgrade::rollout::Verdict;

use crate::platform::{Plan, Platform};
use crate::upgrade::{Upgrade, state};

const SEED: &str = "windlass-platform--v1-0-0-seed";

/// The share of requests that each revision gets, where it gets any.
fn weights(platform: &Platform) -> Vec<(String, u64)> {
    let all = platform.azure.revisions().into_iter().map(|revision| (revision.name, revision.weight));
    all.filter(|(_, weight)| *weight > 0).collect()
}

fn new_revision(platform: &Platform) -> String {
    platform.azure.revisions().last().expect("a revision").name.clone()
}

fn phases(seen: &[windlass::model::Run]) -> Vec<&str> {
    let mut phases: Vec<&str> = seen.iter().map(|run| run.phase.as_str()).collect();
    phases.dedup();
    phases
}

fn waits_for(run: &windlass::model::Run) -> String {
    match &run.progress {
        Progress::Ready { wake, .. } => format!("{wake:?}"),
        other => format!("{other:?}"),
    }
}

async fn until_phase(upgrade: &mut Upgrade<'_>, phase: &str) {
    upgrade.until(|run| run.phase == phase).await;
}

#[tokio::test]
async fn a_revision_proves_itself_without_traffic_and_then_gets_all_of_it() {
    let platform = Platform::of(Plan::blue_green()).await;
    let mut upgrade = platform.start("1.2.3").await;
    until_phase(&mut upgrade, "confirming").await;
    assert_eq!(weights(&platform), [(SEED.to_owned(), 100)]);
    let validation =
        state(&upgrade.run().await).rollout.and_then(|rollout| rollout.validation).expect("it was validated");
    assert_eq!((validation.verdict, validation.good), (Some(Verdict::Successful), 3));
    let upgrade = upgrade.drain().await;
    upgrade.expect_succeeded();
    assert_eq!(weights(&platform), [(new_revision(&platform), 100)]);
    let order = ["building", "patching", "rolling-out", "validating", "confirming"];
    assert_eq!(phases(&upgrade.seen), order);
    let confirmed = upgrade.history.last().expect("an end").at;
    let flipped = upgrade.state.rollout.as_ref().and_then(|rollout| rollout.flip.accepted_at).expect("a flip");
    assert!(confirmed.since(flipped) >= RolloutSettings::default().confirm);
}

#[tokio::test]
async fn a_revision_that_degrades_under_traffic_flips_back_by_itself() {
    let platform = Platform::of(Plan::blue_green()).await;
    platform.arm_revision("v1-2-3", RevisionEffect::Degrading { after_s: 30, since: Since::Traffic });
    let upgrade = platform.start("1.2.3").await.drain().await;
    assert_eq!(upgrade.run.output["outcome"], "rolled_back", "{:?}", upgrade.run.failure);
    assert!(upgrade.run.failure.as_ref().is_some_and(|cause| cause.code == "revision_unhealthy"));
    assert_eq!(weights(&platform), [(SEED.to_owned(), 100)]);
    assert_eq!(upgrade.run.output["revision"], SEED);
    let sick = platform.azure.revisions().pop().expect("the new revision");
    assert!(!sick.active, "a revision without traffic costs money");
}

#[tokio::test]
async fn a_revision_that_answers_badly_never_gets_traffic() {
    let platform = Platform::of(Plan::blue_green()).await;
    platform.arm_revision("v1-2-3", RevisionEffect::Unresponsive);
    let upgrade = platform.start("1.2.3").await.drain().await;
    let cause = upgrade.run.failure.as_ref().expect("a cause");
    assert!(cause.code == "validation_failed" && cause.message.contains("503"), "{cause}");
    assert_eq!(upgrade.run.output["outcome"], "rolled_back");
    assert_eq!(weights(&platform), [(SEED.to_owned(), 100)]);
    assert!(!phases(&upgrade.seen).contains(&"confirming"));
}

#[tokio::test]
async fn where_there_is_no_telling_a_person_decides() {
    for (go, outcome) in [(true, Value::Null), (false, json!("rolled_back"))] {
        let platform = Platform::of(Plan { readiness: None, ..Plan::blue_green() }).await;
        let mut upgrade = platform.start("1.2.3").await;
        upgrade.until(|run| waits_for(run).contains("verdict")).await;
        assert!(waits_for(&upgrade.run().await).contains("/verdict"));
        let word = json!({"by": "somebody", "reason": "it looks fine", "go": go, "at": upgrade.run().await.updated_at});
        platform.engine.signal(&upgrade.id, "verdict", word).await.expect("the run can be told");
        let upgrade = upgrade.drain().await;
        assert_eq!(upgrade.run.output["outcome"], outcome);
        let serving = if go { new_revision(&platform) } else { SEED.to_owned() };
        assert_eq!(weights(&platform), [(serving, 100)]);
    }
}

#[tokio::test]
async fn a_verdict_that_nobody_gives_goes_back() {
    let platform = Platform::of(Plan { readiness: None, ..Plan::blue_green() }).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    assert_eq!(upgrade.run.failure.as_ref().map(|cause| cause.code.as_str()), Some("validation_undecided"));
    assert_eq!(weights(&platform), [(SEED.to_owned(), 100)]);
}

#[tokio::test]
async fn somebody_can_ask_a_rollout_that_goes_on_to_go_back() {
    let platform = Platform::of(Plan::blue_green()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| state(run).rollout.is_some_and(|rollout| rollout.flip.accepted_at.is_some())).await;
    let word = json!({"by": "somebody", "reason": "customers complain", "at": upgrade.run().await.updated_at});
    platform.engine.signal(&upgrade.id, "rollback", word).await.expect("the run can be told");
    let upgrade = upgrade.drain().await;
    let cause = upgrade.run.failure.as_ref().expect("a cause");
    assert!(cause.code == "rollback_requested" && cause.message.contains("customers complain"), "{cause}");
    assert_eq!(weights(&platform), [(SEED.to_owned(), 100)]);
}

#[tokio::test]
async fn a_rollback_by_call_starts_the_old_revision_again_and_gives_it_the_traffic() {
    let platform = Platform::of(Plan::blue_green()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded();
    platform.order("/revisions/windlass-platform--v1-0-0-seed/deactivate").await;
    assert!(!platform.azure.revisions()[0].active);
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    back.expect_succeeded();
    assert_eq!(weights(&platform), [(SEED.to_owned(), 100)]);
    assert!(platform.azure.revisions()[0].active && !platform.azure.revisions()[1].active);
}

#[tokio::test]
async fn a_flip_whose_answer_is_lost_is_found_in_the_traffic() {
    let platform = Platform::of(Plan::blue_green()).await;
    let mut upgrade = platform.start("1.2.3").await;
    until_phase(&mut upgrade, "confirming").await;
    let before = platform.patches();
    platform.arm("PATCH", "/containerApps/windlass-platform", RequestEffect::LoseReply);
    upgrade.drain().await.expect_succeeded();
    assert_eq!(platform.patches(), before + 1);
}

#[tokio::test]
async fn each_strategy_wants_its_own_mode_and_says_how_to_set_it() {
    for (plan, code) in [
        (Plan { mode: Plan::in_place().mode, ..Plan::blue_green() }, "app_in_single_revision_mode"),
        (Plan { mode: Plan::blue_green().mode, ..Plan::in_place() }, "app_in_multiple_revision_mode"),
    ] {
        let platform = Platform::of(plan).await;
        let upgrade = platform.start("1.2.3").await.drain().await;
        let failure = upgrade.expect_failed(code);
        assert!(failure.message.contains("az containerapp revision set-mode"), "{failure}");
        assert_eq!(platform.patches(), 0);
    }
}

#[tokio::test]
async fn another_admin_than_the_starter_has_to_agree_to_the_plan_as_it_is() {
    let rollout = RolloutSettings { approval: Some(Duration::from_secs(3_600)), ..RolloutSettings::default() };
    let platform = Platform::of(Plan { rollout: rollout.clone(), ..Plan::in_place() }).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| waits_for(run).contains("/approve")).await;
    let hash = state(&upgrade.run().await).approval.expect("it waits").plan_hash;
    let at = upgrade.run().await.updated_at;
    for (by, hash) in [("tester", hash.as_str()), ("somebody", "another plan")] {
        let word = json!({"by": by, "plan_hash": hash, "at": at});
        platform.engine.signal(&upgrade.id, "approve", word).await.expect("the run can be told");
        // Not the ticket that waits for the end of the time that people have.
        let ticket = upgrade.run().await.ticket();
        platform.engine.deliver("upgrade-approving", &ticket).await.expect("storage answers");
        assert_eq!(upgrade.run().await.phase, "approving", "{by} {hash}");
    }
    platform
        .engine
        .signal(&upgrade.id, "approve", json!({"by": "somebody", "plan_hash": hash, "at": at}))
        .await
        .expect("told");
    let upgrade = upgrade.drain().await;
    upgrade.expect_succeeded();
    let approval = upgrade.state.approval.as_ref().expect("an approval");
    assert_eq!(approval.approved_by.as_deref(), Some("somebody"));

    let platform = Platform::of(Plan { rollout, ..Plan::in_place() }).await;
    let outdated = json!({"target_version": "1.2.3", "plan_hash": "of another app"});
    platform.start_with(outdated).await.drain().await.expect_failed("plan_outdated");
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_failed("approval_expired");
    assert_eq!(platform.patches(), 0);
}
