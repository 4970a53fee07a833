//! What an upgrade does when nothing goes wrong.

use serde_json::json;
use windlass::model::Status;

use crate::platform::{COMPONENTS, Platform};
use crate::upgrade::state;

#[tokio::test]
async fn a_version_becomes_three_images_whose_digests_are_the_registrys() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded();
    let pushed = platform.pushed();
    assert_eq!(pushed.len(), 3);
    for name in COMPONENTS {
        let image = format!("elb-{name}:v1.2.3");
        let digest = pushed.get(&image).expect("the image was pushed");
        assert_eq!(upgrade.run.output["images"][name], json!({"image": image, "digest": digest}));
        assert_eq!(upgrade.state.builds[name].digest.as_ref(), Some(digest));
    }
    assert_eq!(upgrade.run.output["commit"], json!(platform.commit));
    assert_eq!(upgrade.run.status(), Status::Completed);
}

#[tokio::test]
async fn i6_every_log_is_what_its_builder_said_to_the_last_line() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
    for name in COMPONENTS {
        let log = upgrade.log(&format!("build-{name}"));
        assert!(log.contains("Step 1/") && !log.contains('\r'), "{log}");
        assert!(log.trim_end().lines().last().is_some_and(|last| last.contains("was successful after")), "{log}");
    }
    assert!(upgrade.log("fetch").starts_with(&format!("fetched v1.2.3 at commit {}\n", platform.commit)));
}

#[tokio::test]
async fn every_build_knows_its_version() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    for build in platform.azure.runs() {
        assert_eq!(build.arguments, [("APP_VERSION".to_owned(), Some("1.2.3".to_owned()))]);
    }
    assert!(upgrade.log("build-api").contains("this is the service in version 1.2.3\n"));
    assert!(upgrade.log("build-frontend").contains("bundling the pages of version 1.2.3\n"));
}

#[tokio::test]
async fn all_builds_are_scheduled_before_any_is_waited_for() {
    let platform = Platform::open().await;
    platform.start("1.2.3").await.drain().await.expect_succeeded();
    let calls: Vec<_> = platform.azure.requests().into_iter().filter(|call| !call.path.contains("/msi/")).collect();
    let first = |waits: fn(&str) -> bool| calls.iter().position(|call| waits(&call.path)).expect("such a call");
    let looked = first(|path| path.contains("/runs/") || path.ends_with("rawtext.log"));
    let scheduled = calls[..looked].iter().filter(|call| call.path.ends_with("/scheduleRun")).count();
    assert_eq!(scheduled, 3);
    let uploads = calls.iter().filter(|call| call.method == "PUT").count();
    assert_eq!(uploads, 1, "one context for three builds is uploaded once");
}

#[tokio::test]
async fn the_ids_of_all_builds_are_kept_before_anybody_waits() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_scheduled().await;
    let known: Vec<_> = state(&upgrade.run().await).builds.into_values().map(|build| build.run_id).collect();
    let scheduled: Vec<_> = platform.azure.runs().into_iter().map(|build| Some(build.run_id)).collect();
    assert_eq!(known.len(), 3);
    assert!(known.iter().all(|id| scheduled.contains(id)), "{known:?} {scheduled:?}");
    upgrade.drain().await.expect_succeeded();
}

#[tokio::test]
async fn progress_grows_from_30_to_70_while_images_are_built() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    let building: Vec<u8> = upgrade
        .seen
        .iter()
        .filter(|run| run.phase == "building" && !run.state["builds"]["api"]["run_id"].is_null())
        .map(|run| state(run).progress)
        .collect();
    assert!(building.is_sorted() && building.iter().all(|percent| (30..=70).contains(percent)), "{building:?}");
    assert!(building.iter().any(|percent| (31..70).contains(percent)), "{building:?}");
    assert_eq!((building.first(), building.last()), (Some(&30), Some(&70)));
    assert_eq!(upgrade.seen.iter().find(|run| run.phase == "building").map(|run| state(run).progress), Some(20));
}

#[tokio::test]
async fn an_upgrade_says_what_it_is_waiting_for() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_all_builds_run().await;
    let waiting = serde_json::to_value(upgrade.run().await.progress).expect("it can be shown");
    assert_eq!(waiting["wake"]["reason"], "building api, frontend, terminal");
    upgrade.drain().await.expect_succeeded();
}

#[tokio::test]
async fn the_beginning_of_a_commit_is_enough_to_name_it() {
    let platform = Platform::open().await;
    let sha = platform.commit[..7].to_uppercase();
    let upgrade = platform.start_with(json!({"target_version": "1.2.3", "target_sha": sha})).await.drain().await;
    upgrade.expect_succeeded();
}
