//! Going on where an upgrade failed, with what was finished before.

use std::time::Duration;

use serde_json::json;
use windlass::dev::azure::{BuildEffect, RevisionEffect};
use windlass::engine::RetryError;
use windlass::model::Run;
use windlass::pipelines::upgrade::{BuildStatus, RolloutSettings, UpgradeInput};

use crate::git_server::git;
use crate::platform::{Plan, Platform};
use crate::upgrade::{Upgrade, state};

/// So late that the other images are there.
const LATE: usize = 6;

impl Platform {
    /// Builds of a component that the registry was asked for.
    fn builds_of(&self, component: &str) -> usize {
        let image = format!("elb-{component}:v1.2.3");
        self.azure.runs().into_iter().filter(|build| build.images == [image.as_str()]).count()
    }

    async fn retry(&self, failed: &Run) -> Upgrade<'_> {
        let id = self.engine.retry(&failed.id, "tester", None).await.expect("it can be gone on with").run.id;
        Upgrade { platform: self, id, seen: Vec::new() }
    }
}

/// As [`Upgrade::drain`] of an upgrade that is to be gone on with: nothing is started after it.
async fn ended(mut upgrade: Upgrade<'_>) -> Run {
    upgrade.until(Run::is_ended).await;
    upgrade.run().await
}

/// An upgrade of which two images were built and one was not.
async fn half_built(platform: &Platform) -> Run {
    platform.arm_build("frontend", BuildEffect::FailStep { step: LATE, lines: Vec::new() });
    let failed = ended(platform.start("1.2.3").await).await;
    assert_eq!(failed.failure.as_ref().map(|failure| failure.code.as_str()), Some("build_failed"));
    assert_eq!(state(&failed).builds["api"].status, BuildStatus::Succeeded);
    failed
}

#[tokio::test]
async fn what_was_built_is_not_built_again() {
    for age in [0, 2 * 3600] {
        let platform = Platform::open().await;
        let failed = half_built(&platform).await;
        platform.skip(Duration::from_secs(age));
        let retry = platform.retry(&failed).await.drain().await;
        retry.expect_succeeded();
        assert_eq!(["api", "terminal", "frontend"].map(|name| platform.builds_of(name)), [1, 1, 2], "{age} s later");
        assert_eq!(platform.pushed().len(), 3);
        assert_eq!(retry.run.output["images"]["api"]["digest"], json!(state(&failed).builds["api"].digest));
        let first = retry.seen.first().map(|run| run.phase.as_str());
        assert_eq!(first, Some("building"), "a delivery of fetching ends in building");
        assert_eq!(retry.log("fetch").is_empty(), age == 0);
    }
}

#[tokio::test]
async fn images_of_two_commits_are_never_mixed() {
    let platform = Platform::open().await;
    let failed = half_built(&platform).await;
    platform.skip(Duration::from_secs(2 * 3600));
    let repository = platform.repositories.path().join("app");
    std::fs::write(repository.join("README.md"), "# Another platform").expect("it can be written");
    git(&repository, &["commit", "-aqm", "another"]);
    git(&repository, &["tag", "-f", "v1.2.3"]);
    let retry = platform.retry(&failed).await.drain().await;
    let failure = retry.expect_failed("tag_moved");
    assert!(
        failure.message.contains(&platform.commit) && failure.message.contains("start the upgrade again"),
        "{failure}"
    );
    assert_eq!(platform.builds_of("frontend"), 1);
}

#[tokio::test]
async fn a_rollout_that_was_left_as_it_was_is_gone_on_with_and_still_leads_back_to_before_it() {
    let rollout = RolloutSettings { auto_rollback: false, ..RolloutSettings::default() };
    let platform = Platform::of(Plan { rollout, ..Plan::in_place() }).await;
    platform.arm_revision("v1-2-3", RevisionEffect::NeverReady);
    let failed = ended(platform.start("1.2.3").await).await;
    assert_eq!((failed.phase.as_str(), failed.is_ended()), ("rolling-out", true));

    let retry = ended(platform.retry(&failed).await).await;
    assert_eq!(retry.failure, None);
    assert_eq!(platform.serves(), ["v1.2.3"]);
    assert_eq!(platform.builds_of("api"), 1);
    let snapshot = platform.snapshot().await.expect("it was taken");
    assert_eq!((&snapshot.job_id, snapshot.version.as_deref()), (&retry.id, Some("1.0.0")));
    ended(platform.roll_back(&snapshot.job_id).await).await;
    assert_eq!(platform.serves(), ["v1.0.0"]);
}

#[tokio::test]
async fn an_upgrade_that_went_back_rolls_out_its_images_once_more() {
    let platform = Platform::of(Plan::in_place()).await;
    platform.arm_revision("v1-2-3", RevisionEffect::NeverReady);
    let failed = ended(platform.start("1.2.3").await).await;
    assert!(failed.fallback.is_some());
    assert_eq!(platform.serves(), ["v1.0.0"]);
    let retry = platform.retry(&failed).await.drain().await;
    retry.expect_succeeded();
    assert_eq!(platform.serves(), ["v1.2.3"]);
    assert_eq!(platform.builds_of("api"), 1);
}

#[tokio::test]
async fn a_start_that_named_its_plan_is_gone_on_with_on_the_platform_that_it_changed() {
    let platform = Platform::of(Plan::in_place()).await;
    let input: UpgradeInput = serde_json::from_value(json!({"target_version": "1.2.3"})).expect("an input");
    let asked = platform.upgrade.asked(&input).expect("a version");
    let plan = platform.upgrade.plan(&asked, None).await.expect("a plan");
    platform.arm_revision("v1-2-3", RevisionEffect::NeverReady);
    let input = json!({"target_version": "1.2.3", "plan_hash": plan.plan_hash});
    let failed = ended(platform.start_with(input).await).await;
    assert!(failed.fallback.is_some(), "{:?}", failed.failure);
    platform.retry(&failed).await.drain().await.expect_succeeded();
}

#[tokio::test]
async fn an_upgrade_that_somebody_stopped_is_gone_on_with_and_one_that_succeeded_is_not() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_scheduled().await;
    upgrade.cancel().await;
    let stopped = ended(upgrade).await;
    let done = ended(platform.retry(&stopped).await).await;
    assert_eq!(done.failure, None);
    assert_eq!(platform.pushed().len(), 3);
    let refused = platform.engine.retry(&done.id, "tester", None).await;
    assert!(matches!(refused, Err(RetryError::NothingToRetry)), "{refused:?}");
}
