//! People and other programs who change the app while, before and after an upgrade does.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::dev::azure::{RequestEffect, RevisionsMode};
use windlass::engine::TellError;
use windlass::engine::ports::RunStore;
use windlass::pipelines::upgrade::rollout::snapshot::SNAPSHOT;
use windlass::pipelines::upgrade::scope;

use crate::platform::{Plan, Platform};
use crate::upgrade::state;

const SEED: &str = "windlass-platform--v1-0-0-seed";

/// The share of requests that each revision gets, where it gets any.
fn weights(platform: &Platform) -> Vec<(String, u64)> {
    let all = platform.azure.revisions().into_iter().map(|revision| (revision.name, revision.weight));
    all.filter(|(_, weight)| *weight > 0).collect()
}

fn traffic(entries: Value) -> Value {
    json!({"properties": {"configuration": {"ingress": {"traffic": entries}}}})
}

#[tokio::test]
async fn a_split_of_the_traffic_stays_through_a_rollout_and_comes_back_with_a_rollback() {
    let platform = Platform::of(Plan::blue_green()).await;
    platform.change(&json!({"properties": {"template": {"revisionSuffix": "second"}}})).await;
    let second = "windlass-platform--second";
    platform
        .change(&traffic(json!([{"latestRevision": true, "weight": 90}, {"revisionName": SEED, "weight": 10}])))
        .await;
    let split = [(SEED.to_owned(), 10), (second.to_owned(), 90)];
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| run.phase == "confirming").await;
    assert_eq!(weights(&platform), split, "nothing moves before the new revision is proved");
    assert_eq!(platform.snapshot().await.map(|snapshot| snapshot.revision).as_deref(), Some(second));
    let upgrade = upgrade.drain().await;
    upgrade.expect_succeeded();
    platform.order(&format!("/revisions/{SEED}/deactivate")).await;
    platform.roll_back(&upgrade.run.id).await.drain().await.expect_succeeded();
    assert_eq!(weights(&platform), split);
}

#[tokio::test]
async fn somebody_who_moves_the_traffic_under_an_upgrade_is_not_fought() {
    let platform = Platform::of(Plan::blue_green()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| state(run).rollout.is_some_and(|rollout| rollout.flip.seen_at.is_some())).await;
    let before = platform.patches();
    platform.begin_change(&traffic(json!([{"revisionName": SEED, "weight": 100}]))).await;
    let upgrade = upgrade.drain().await;
    let failure = upgrade.expect_failed("app_changed");
    assert!(failure.message.contains("left as they made it"), "{failure}");
    assert_eq!((platform.patches(), weights(&platform)), (before + 1, vec![(SEED.to_owned(), 100)]));
}

#[tokio::test]
async fn what_was_changed_by_hand_since_an_upgrade_outlives_its_rollback() {
    let platform = Platform::of(Plan::in_place()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    platform
        .change(&json!({"properties": {"template": {"revisionSuffix": "by-hand", "scale": {"minReplicas": 3}}}}))
        .await;
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    back.expect_succeeded();
    assert_eq!(platform.serves(), ["v1.0.0"]);
    assert_eq!(platform.azure.app()["properties"]["template"]["scale"]["minReplicas"], 3);
    assert!(back.log("rollout").contains("somebody else has changed the app"), "{}", back.log("rollout"));
}

#[tokio::test]
async fn an_upgrade_that_touched_nothing_leaves_the_way_back_that_there_was() {
    let platform = Platform::of(Plan::in_place()).await;
    let first = platform.start("1.2.3").await.drain().await;
    first.expect_succeeded();
    let mut second = platform.start("1.2.3").await;
    second.until(|run| run.phase == "rolling-out").await;
    assert_eq!(platform.snapshot().await.map(|snapshot| snapshot.job_id), Some(second.id.clone()));
    platform
        .change(&json!({"properties": {"template": {"revisionSuffix": "by-hand", "scale": {"minReplicas": 2}}}}))
        .await;
    second.drain().await.expect_failed("app_changed");
    let kept = platform.snapshot().await.expect("a snapshot");
    assert_eq!((kept.job_id, kept.version.as_deref()), (first.run.id.clone(), Some("1.0.0")));
}

#[tokio::test]
async fn a_rollback_is_not_stopped_half_way() {
    let platform = Platform::of(Plan::in_place()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    let mut back = platform.roll_back(&upgrade.run.id).await;
    back.until(|run| state(run).rollback.is_some_and(|back| back.change.sent_at.is_some())).await;
    let told = platform.engine.cancel(&back.id, "tester", "a change of mind").await;
    assert!(matches!(told, Err(TellError::FallingBack)), "{told:?}");
    back.drain().await.expect_succeeded();
    assert_eq!(platform.serves(), ["v1.0.0"]);
}

#[tokio::test]
async fn a_revision_that_became_ready_while_nobody_looked_has_succeeded() {
    let platform = Platform::of(Plan::in_place()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| state(run).rollout.is_some_and(|rollout| rollout.change.accepted_at.is_some())).await;
    platform.skip(Duration::from_secs(20 * 60));
    upgrade.drain().await.expect_succeeded();
    assert_eq!(platform.serves(), ["v1.2.3"]);
}

#[tokio::test]
async fn a_registry_that_does_not_let_itself_be_asked_keeps_nobody_from_going_back() {
    let platform = Platform::of(Plan::in_place()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    platform.azure.set_registry_rights(&[]);
    platform.skip(Duration::from_secs(4 * 3_600));
    for _ in 0..9 {
        platform.arm("HEAD", "/v2/", RequestEffect::Fail { status: 403, html: false, retry_after_s: None });
    }
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    back.expect_succeeded();
    assert_eq!(platform.serves(), ["v1.0.0"]);
    assert!(back.log("rollout").contains("is not known"), "{}", back.log("rollout"));
}

#[tokio::test]
async fn an_app_whose_mode_was_changed_since_is_not_half_rolled_back() {
    let platform = Platform::of(Plan::in_place()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    platform.azure.set_revisions_mode(RevisionsMode::Multiple);
    let before = platform.patches();
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    let failure = back.expect_failed("app_in_multiple_revision_mode");
    assert!(failure.message.contains("set-mode --mode single"), "{failure}");
    assert_eq!(platform.patches(), before);
}

#[tokio::test]
async fn no_value_of_the_apps_environment_is_stored() {
    let platform = Platform::of(Plan::in_place()).await;
    let app = platform.azure.app();
    let value = app["properties"]["template"]["containers"][0]["env"][0]["value"].as_str().expect("a value");
    assert!(!value.is_empty());
    platform.start("1.2.3").await.drain().await.expect_succeeded();
    let stored = platform.tickets.store.get(scope().tag().as_str(), &format!("doc:{SNAPSHOT}")).await;
    let stored = json!(stored.expect("storage answers").expect("a snapshot").record).to_string();
    assert!(stored.contains("LOG_LEVEL") && !stored.contains(&format!("\"{value}\"")), "{stored}");
}

#[tokio::test]
async fn an_app_that_runs_digests_is_known_by_what_the_registry_calls_them() {
    let platform = Platform::of(Plan::in_place()).await;
    let first = platform.start("1.2.3").await.drain().await;
    for name in ["api", "frontend", "terminal"] {
        assert!(platform.azure.delete_image(&format!("elb-{name}:v1.0.0")));
    }
    platform.roll_back(&first.run.id).await.drain().await.expect_succeeded();
    let second = platform.start("1.2.3").await.drain().await;
    second.expect_succeeded();
    assert_eq!(second.run.output["from_version"], "1.0.0", "the snapshot knows what it went back to");
}
