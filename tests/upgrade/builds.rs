//! Builds that do not come to an image.

use serde_json::json;
use windlass::dev::azure::BuildEffect;
use windlass::pipelines::upgrade::BuildStatus;

use crate::platform::{COMPONENTS, Plan, Platform, files_with};
use crate::upgrade::{Ended, state};

fn status(platform: &Platform, component: &str) -> &'static str {
    let image = format!("elb-{component}:v1.2.3");
    platform.azure.runs().into_iter().find(|build| build.images == [image.as_str()]).expect("the build").status
}

async fn failing(component: &str, effect: BuildEffect) -> (Platform, Ended) {
    let platform = Platform::open().await;
    platform.arm_build(component, effect);
    let upgrade = platform.start("1.2.3").await.drain().await;
    (platform, upgrade)
}

#[tokio::test]
async fn a_failing_step_ends_the_upgrade_with_its_component_and_its_last_lines() {
    let lines = vec!["npm error code ENOENT".to_owned(), "npm error missing package.json".to_owned()];
    let (platform, upgrade) = failing("frontend", BuildEffect::FailStep { step: 4, lines }).await;
    let failure = upgrade.expect_failed("build_failed");
    assert!(failure.message.contains("frontend") && failure.message.contains("elb-frontend:v1.2.3"), "{failure}");
    assert!(failure.message.contains("build-frontend"), "it says where to read on: {failure}");
    assert_eq!(failure.detail["component"], "frontend");
    let last: Vec<&str> = upgrade.log("build-frontend").lines().collect();
    let shown: Vec<&str> =
        failure.detail["last_lines"].as_array().expect("lines").iter().filter_map(|line| line.as_str()).collect();
    assert!(shown.contains(&"npm error missing package.json"), "{shown:?}");
    assert_eq!(shown.last(), last.last());
    assert!(upgrade.run.output.is_null());
    assert!(!platform.azure.images().contains_key("elb-frontend:v1.2.3"));
}

#[tokio::test]
async fn the_log_of_a_failed_build_is_whole() {
    let lines = vec!["the end".to_owned()];
    let (platform, upgrade) = failing("api", BuildEffect::FailStep { step: 2, lines }).await;
    upgrade.expect_failed("build_failed");
    let output = platform.output(upgrade.state.builds["api"].run_id.as_deref().expect("it was built")).await;
    assert_eq!(upgrade.log("build-api"), output.replace("\r\n", "\n"));
}

#[tokio::test]
async fn a_failed_build_stops_its_siblings_in_the_registry() {
    let (platform, upgrade) = failing("terminal", BuildEffect::FailStep { step: 1, lines: Vec::new() }).await;
    upgrade.expect_failed("build_failed");
    assert_eq!(COMPONENTS.map(|name| status(&platform, name)), ["Canceled", "Canceled", "Failed"]);
    assert_eq!(upgrade.state.builds["api"].status, BuildStatus::Cancelled);
    assert!(platform.pushed().is_empty());
}

#[tokio::test]
async fn a_dockerfile_that_docker_does_not_understand_is_a_failed_build() {
    let plan = Plan { files: files_with("api/Dockerfile", "FROM alpine:3.20\nFETCH the moon\n"), ..Plan::default() };
    let platform = Platform::of(plan).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    let shown = upgrade.expect_failed("build_failed").detail["last_lines"].to_string();
    assert!(shown.contains("unknown instruction: FETCH"), "{shown}");
}

#[tokio::test]
async fn a_build_that_takes_too_long_or_loses_its_agent_says_so() {
    for (effect, reason) in [
        (BuildEffect::TimeOutInStep { step: 2 }, "deadline exceeded"),
        (BuildEffect::AgentFailsInStep { step: 2 }, "agent stopped responding"),
    ] {
        let (_, upgrade) = failing("api", effect).await;
        let failure = upgrade.expect_failed("build_failed");
        assert!(failure.message.contains(reason), "{failure}");
    }
}

#[tokio::test]
async fn a_build_that_somebody_else_cancelled_is_told_from_one_that_failed() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_all_builds_run().await;
    let id = state(&upgrade.run().await).builds["api"].run_id.clone().expect("it is being built");
    platform.registry.cancel(&id).await.expect("the registry takes it");
    let upgrade = upgrade.drain().await;
    assert!(upgrade.expect_failed("build_cancelled").message.contains("api"));
}

#[tokio::test]
async fn a_build_that_was_cancelled_before_it_had_an_agent_has_no_log_and_is_not_waited_for_long() {
    let platform = Platform::open().await;
    platform.arm_build("api", BuildEffect::StuckQueued);
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_scheduled().await;
    let id = state(&upgrade.run().await).builds["api"].run_id.clone().expect("it is queued");
    platform.registry.cancel(&id).await.expect("the registry takes it");
    let upgrade = upgrade.drain().await;
    upgrade.expect_failed("build_cancelled");
    assert_eq!(upgrade.log("build-api"), "(the rest of this log did not arrive)\n");
}

#[tokio::test]
async fn when_all_builds_fail_one_of_them_is_named_and_none_is_left() {
    let platform = Platform::open().await;
    for name in COMPONENTS {
        platform.arm_build(name, BuildEffect::FailStep { step: 1, lines: vec![format!("{name} is broken")] });
    }
    let upgrade = platform.start("1.2.3").await.drain().await;
    let named = upgrade.expect_failed("build_failed").detail["component"].clone();
    assert!(COMPONENTS.map(|name| json!(name)).contains(&named));
    assert_eq!(COMPONENTS.map(|name| status(&platform, name)), ["Failed"; 3]);
}

#[tokio::test]
async fn after_a_failure_the_same_version_can_be_upgraded_to() {
    let (platform, upgrade) = failing("api", BuildEffect::FailStep { step: 3, lines: Vec::new() }).await;
    upgrade.expect_failed("build_failed");
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
}
