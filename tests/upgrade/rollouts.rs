//! An app in single revision mode that gets a new version.

use serde_json::{Value, json};
use windlass::dev::azure::{RequestEffect, RevisionEffect};
use windlass::engine::ports::{RunStore, Write};
use windlass::model::{Run, RunId};
use windlass::pipelines::upgrade::rollout::snapshot::{SNAPSHOT, Snapshot};
use windlass::pipelines::upgrade::{RolloutSettings, scope};

use crate::platform::{Plan, Platform};
use crate::upgrade::{Ended, state};

const OLD: &str = "v1.0.0";
const NEW: &str = "v1.2.3";
/// Where the simulated app is reached.
const APP: &str = "/containerApps/windlass-platform";

impl Platform {
    /// The tags that the containers of the serving revision run.
    pub fn serves(&self) -> Vec<String> {
        let app = self.azure.app();
        let serving = app["properties"]["latestReadyRevisionName"].as_str().expect("a ready revision");
        let revisions = self.azure.revisions();
        let revision = revisions.iter().find(|revision| revision.name == serving).expect("it is kept");
        let images = revision.images.iter().map(|(_, image)| image).filter(|image| image.contains("/elb-"));
        let mut tags: Vec<String> = images.map(|image| image.rsplit(':').next().expect("a tag").to_owned()).collect();
        tags.dedup();
        tags
    }

    /// Changes of the app that reached it.
    pub fn patches(&self) -> usize {
        self.azure.requests().iter().filter(|call| call.method == "PATCH").count()
    }

    async fn remove_document(&self, name: &str) -> bool {
        let (store, partition, key) = (&self.tickets.store, scope().tag(), format!("doc:{name}"));
        let Some(found) = store.get(partition.as_str(), &key).await.expect("storage answers") else { return false };
        let write = Write::Delete { key, version: found.version };
        store.transact(partition.as_str(), vec![write]).await.is_ok()
    }

    pub async fn snapshot(&self) -> Option<Snapshot> {
        self.engine.document(&scope(), SNAPSHOT).await.expect("storage answers")
    }
}

/// The revisions that were made after the first one.
fn made(platform: &Platform) -> Vec<String> {
    platform.azure.revisions().iter().skip(1).map(|revision| revision.name.clone()).collect()
}

fn job(id: &RunId) -> String {
    id.name()[id.name().len() - 6..].to_owned()
}

fn phases(upgrade: &Ended) -> Vec<&str> {
    let mut phases: Vec<&str> = upgrade.seen.iter().map(|run| run.phase.as_str()).collect();
    phases.dedup();
    phases
}

fn outcome(run: &Run) -> &Value {
    &run.output["outcome"]
}

#[tokio::test]
async fn a_new_version_serves_in_a_revision_that_bears_the_runs_name() {
    let platform = Platform::of(Plan::in_place()).await;
    assert_eq!(platform.serves(), [OLD]);
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded();
    let revision = format!("windlass-platform--v1-2-3-{}", job(&upgrade.run.id));
    assert_eq!(made(&platform), std::slice::from_ref(&revision));
    assert_eq!(platform.serves(), [NEW]);
    assert_eq!(phases(&upgrade), ["building", "patching", "rolling-out"]);
    assert_eq!(upgrade.run.output["revision"], json!(revision));
    assert_eq!(upgrade.run.output["from_version"], "1.0.0");
    assert_eq!(upgrade.state.progress, 100);
    assert_eq!(platform.patches(), 1);
    let log = upgrade.log("rollout");
    assert!(
        log.contains("container worker is to run") && log.contains(&format!("revision {revision} is ready")),
        "{log}"
    );
}

#[tokio::test]
async fn all_else_of_the_app_stays_as_it_was_secrets_included() {
    let platform = Platform::of(Plan::in_place()).await;
    let before = platform.azure.app();
    platform.start("1.2.3").await.drain().await.expect_succeeded();
    let after = platform.azure.app();
    let without_images = |app: &Value| {
        let mut template = app["properties"]["template"].clone();
        template["revisionSuffix"] = Value::Null;
        for list in ["containers", "initContainers"] {
            for container in template[list].as_array_mut().into_iter().flatten() {
                container["image"] = Value::Null;
            }
        }
        template
    };
    assert_eq!(without_images(&before), without_images(&after));
    assert_eq!(before["properties"]["configuration"], after["properties"]["configuration"]);
}

#[tokio::test]
async fn the_snapshot_is_stored_before_the_app_is_touched_and_says_how_long_it_is_good() {
    let platform = Platform::of(Plan::in_place()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| run.phase == "rolling-out").await;
    assert_eq!(platform.patches(), 0);
    let snapshot = platform.snapshot().await.expect("a snapshot");
    assert_eq!((snapshot.version.as_deref(), snapshot.target_version.as_str()), (Some("1.0.0"), "1.2.3"));
    assert_eq!(snapshot.images.len(), platform_containers(&platform));
    let own = snapshot.images.values().filter(|image| image.image.contains("/elb-"));
    assert!(own.clone().count() >= 4 && own.clone().all(|image| image.digest.is_some()), "{:?}", snapshot.images);
    let upgrade = upgrade.drain().await;
    upgrade.expect_succeeded();
    let snapshot = platform.snapshot().await.expect("a snapshot");
    let left = snapshot.available_until.since(upgrade.run.updated_at);
    assert_eq!(left.as_secs().div_ceil(3_600), RolloutSettings::default().rollback_window.as_secs() / 3_600);
}

fn platform_containers(platform: &Platform) -> usize {
    let template = &platform.azure.app()["properties"]["template"];
    ["containers", "initContainers"].iter().map(|list| template[list].as_array().map_or(0, Vec::len)).sum()
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_known_by_its_suffix_and_not_sent_again() {
    let effects = [
        RequestEffect::LoseReply,
        RequestEffect::FailLate { status: 500 },
        RequestEffect::SlowReply { millis: 30_000 },
    ];
    for effect in effects {
        let platform = Platform::of(Plan::in_place()).await;
        platform.arm("PATCH", APP, effect);
        let upgrade = platform.start("1.2.3").await.drain().await;
        upgrade.expect_succeeded();
        // One that was hung up on is not among the requests.
        assert!(platform.patches() <= 1 && made(&platform).len() == 1);
        assert_eq!(upgrade.retried(), ["azure_unavailable"]);
    }
}

#[tokio::test]
async fn a_change_that_never_arrived_is_sent_again() {
    let effects = [
        RequestEffect::Drop,
        RequestEffect::Throttle { retry_after_s: 21 },
        RequestEffect::Fail { status: 500, html: true, retry_after_s: None },
    ];
    for effect in effects {
        let platform = Platform::of(Plan::in_place()).await;
        platform.arm("PATCH", APP, effect);
        let upgrade = platform.start("1.2.3").await.drain().await;
        upgrade.expect_succeeded();
        assert_eq!((platform.patches(), made(&platform).len()), (2, 1));
    }
}

#[tokio::test]
async fn another_operation_of_the_app_is_waited_for() {
    let platform = Platform::of(Plan::in_place()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| run.phase == "rolling-out").await;
    platform.begin_change(&json!({"properties": {"configuration": {"maxInactiveRevisions": 7}}})).await;
    let upgrade = upgrade.drain().await;
    upgrade.expect_succeeded();
    assert!(upgrade.retried().contains(&"azure_conflict"), "{:?}", upgrade.retried());
    assert_eq!(made(&platform).len(), 1);
}

#[tokio::test]
async fn an_operation_that_may_not_be_watched_is_watched_through_the_app() {
    let platform = Platform::of(Plan::in_place()).await;
    let fault = RequestEffect::Fail { status: 403, html: false, retry_after_s: None };
    for _ in 0..20 {
        platform.arm("GET", "/containerappOperationStatuses/", fault.clone());
    }
    platform.start("1.2.3").await.drain().await.expect_succeeded();
    assert_eq!(platform.serves(), [NEW]);
}

#[tokio::test]
async fn a_sick_revision_goes_back_by_itself_and_says_what_its_containers_say() {
    for (effect, code, says) in [
        (RevisionEffect::Crashing, "revision_", "CrashLoopBackOff"),
        (RevisionEffect::ZeroReplicas, "no_replicas", "no replica"),
        (RevisionEffect::NeverReady, "rollout_timed_out", "after 600 s"),
        (RevisionEffect::ImageRefused, "update_failed", "UNAUTHORIZED"),
    ] {
        let platform = Platform::of(Plan::in_place()).await;
        platform.arm_revision("v1-2-3", effect.clone());
        let upgrade = platform.start("1.2.3").await.drain().await;
        let failure = upgrade.run.failure.as_ref().expect("a cause");
        assert!(failure.code.starts_with(code) && failure.message.contains(says), "{effect:?}: {failure}");
        assert_eq!(outcome(&upgrade.run), "rolled_back", "{effect:?}: {:?}", upgrade.run.progress);
        assert_eq!(platform.serves(), [OLD], "{effect:?}");
        assert_eq!(phases(&upgrade).last(), Some(&"rolling-back"));
        let back = format!("windlass-platform--v1-0-0-{}-back", job(&upgrade.run.id));
        assert_eq!(upgrade.run.output["revision"], json!(back), "{effect:?}");
        assert!(platform.snapshot().await.is_some_and(|snapshot| snapshot.rolled_back_at.is_some()));
    }
}

#[tokio::test]
async fn without_automatic_rollback_a_sick_revision_fails_and_a_call_goes_back() {
    let rollout = RolloutSettings { auto_rollback: false, ..RolloutSettings::default() };
    let platform = Platform::of(Plan { rollout, ..Plan::in_place() }).await;
    platform.arm_revision("v1-2-3", RevisionEffect::Crashing);
    let upgrade = platform.start("1.2.3").await.drain().await;
    assert!(upgrade.run.failure.as_ref().is_some_and(|failure| failure.code.starts_with("revision_")));
    assert_eq!((upgrade.run.phase.as_str(), upgrade.run.fallback.is_none()), ("rolling-out", true));
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    back.expect_succeeded();
    assert_eq!(outcome(&back.run), "rolled_back");
    assert_eq!(platform.serves(), [OLD]);
}

#[tokio::test]
async fn a_rollback_by_call_brings_the_old_images_under_a_name_of_its_own() {
    let platform = Platform::of(Plan::in_place()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    back.expect_succeeded();
    assert_eq!(platform.serves(), [OLD]);
    assert_eq!(made(&platform).len(), 2);
    assert_eq!(back.run.output["version"], "1.0.0");
}

#[tokio::test]
async fn a_cancelled_rollout_is_undone_and_one_that_has_not_begun_leaves_no_trace() {
    let platform = Platform::of(Plan::in_place()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| run.phase == "patching").await;
    upgrade.cancel().await;
    upgrade.drain().await.expect_terminated();
    assert_eq!((platform.patches(), platform.serves()), (0, vec![OLD.to_owned()]));

    let platform = Platform::of(Plan::in_place()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| state(run).rollout.is_some_and(|rollout| rollout.change.accepted_at.is_some())).await;
    upgrade.cancel().await;
    let upgrade = upgrade.drain().await;
    assert_eq!(outcome(&upgrade.run), "rolled_back");
    assert_eq!(upgrade.run.failure.as_ref().map(|failure| failure.code.as_str()), Some("cancelled"));
    assert_eq!(platform.serves(), [OLD]);
}

#[tokio::test]
async fn an_app_that_is_deleted_in_mid_rollout_is_said_to_be_gone() {
    let platform = Platform::of(Plan::in_place()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| state(run).rollout.is_some_and(|rollout| rollout.change.accepted_at.is_some())).await;
    platform.azure.delete_app();
    let upgrade = upgrade.drain().await;
    let failure = upgrade.expect_failed("app_not_found");
    assert!(failure.message.contains("PLATFORM_CONTAINER_APP"), "{failure}");
    assert_eq!(failure.detail["cause"]["code"], "app_not_found");
}

#[tokio::test]
async fn a_registry_that_has_lost_an_old_image_keeps_a_rollback_from_half_doing_it() {
    let platform = Platform::of(Plan::in_place()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    let digest = platform.azure.images()["elb-frontend:v1.0.0"].clone();
    assert!(platform.azure.delete_image(&format!("elb-frontend@{digest}")));
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    let failure = back.expect_failed("rollback_image_missing");
    assert!(failure.message.contains("elb-frontend:v1.0.0") && failure.message.contains("build_only"), "{failure}");
    assert_eq!((platform.patches(), platform.serves()), (1, vec![NEW.to_owned()]));
}

#[tokio::test]
async fn a_tag_that_was_moved_meanwhile_is_given_up_for_its_digest() {
    let platform = Platform::of(Plan::in_place()).await;
    let digest = platform.azure.images()["elb-api:v1.0.0"].clone();
    let upgrade = platform.start("1.2.3").await.drain().await;
    assert!(platform.azure.delete_image("elb-api:v1.0.0"));
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    back.expect_succeeded();
    let images = back.run.output["images"].to_string();
    assert!(images.contains(&format!("/elb-api@{digest}")) && images.contains("/elb-terminal:v1.0.0"), "{images}");
}

#[tokio::test]
async fn somebody_elses_change_is_not_trampled_on() {
    let platform = Platform::of(Plan::in_place()).await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| run.phase == "rolling-out").await;
    let change = json!({"properties": {"template": {"revisionSuffix": "by-hand", "scale": {"minReplicas": 2}}}});
    platform.change(&change).await;
    let upgrade = upgrade.drain().await;
    let failure = upgrade.expect_failed("app_changed");
    assert!(failure.message.contains("by-hand"), "{failure}");
    assert_eq!((upgrade.run.phase.as_str(), made(&platform).len()), ("rolling-out", 1));
}

#[tokio::test]
async fn a_snapshot_that_is_gone_ends_a_rollback_with_what_to_do_by_hand() {
    let platform = Platform::of(Plan::in_place()).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    let removed = platform.remove_document(SNAPSHOT).await;
    assert!(removed);
    let back = platform.roll_back(&upgrade.run.id).await.drain().await;
    let failure = back.expect_failed("snapshot_missing");
    assert!(failure.message.contains("az containerapp revision copy"), "{failure}");
}
