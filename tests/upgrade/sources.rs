//! Repositories that cannot be upgraded from. Each cause has its code and leaves nothing behind.

use std::time::Duration;

use serde_json::json;
use windlass::git::{Remote, RemotePolicy};
use windlass::model::EventKind;
use windlass::pipelines::upgrade::rollout::{Strategy, plan};

use crate::git_server::{GitServer, Manner, git, make_repository};
use crate::platform::{DEVELOPMENT, Plan, Platform};

const PRODUCTION: RemotePolicy = RemotePolicy { allow_http: false, allow_private: false };

/// The failure of an upgrade to 1.2.3; nothing may have been asked of the registry.
async fn refused(platform: &Platform, code: &str) -> String {
    refused_as(platform, "1.2.3", code).await
}

async fn refused_as(platform: &Platform, version: &str, code: &str) -> String {
    let upgrade = platform.start(version).await.drain().await;
    let message = upgrade.expect_failed(code).message.clone();
    assert!(platform.azure.requests().is_empty(), "the registry was asked");
    message
}

async fn of_manner(manner: Manner) -> Platform {
    Platform::of(Plan { manner, ..Plan::default() }).await
}

#[tokio::test]
async fn without_a_remote_the_setting_is_named() {
    let platform = Platform::of(Plan { remote: |_| None, ..Plan::default() }).await;
    assert!(refused(&platform, "remote_unset").await.contains("UPGRADE_GIT_REMOTE"));
}

#[tokio::test]
async fn without_a_registry_the_settings_are_named() {
    let platform = Platform::of(Plan { has_registry: false, ..Plan::default() }).await;
    assert!(refused(&platform, "registry_unset").await.contains("PLATFORM_ACR_NAME"));
}

#[tokio::test]
async fn a_version_that_was_never_released_is_named() {
    let platform = Platform::open().await;
    let upgrade = platform.start("9.9.9").await.drain().await;
    assert!(upgrade.expect_failed("git_tag_not_found").message.contains("v9.9.9"));
}

#[tokio::test]
async fn a_build_of_a_commit_is_fetched_by_its_commit_and_not_by_the_tag_of_its_name() {
    let platform = Platform::open().await;
    let app = platform.repositories.path().join("app");
    let tip = make_repository(&app, &[("a", "2")], &[]);
    let version = format!("1.2.3-commit.{}", &tip[..7]);
    git(&app, &["tag", &format!("v{version}"), &platform.commit]);
    let upgrade = platform.start(&version).await.drain().await;
    assert_eq!(upgrade.expect_succeeded().run.output["commit"], json!(tip));
    assert!(platform.azure.images().contains_key(&format!("elb-api:v{version}")));
}

#[tokio::test]
async fn a_commit_that_the_repository_does_not_show_says_what_can_be_named() {
    let platform = Platform::open().await;
    let message = refused_as(&platform, "1.2.3-commit.0123456", "git_commit_not_found").await;
    for word in ["0123456", "branch", "40 digits", "tag"] {
        assert!(message.contains(word), "{message}");
    }
}

#[tokio::test]
async fn a_version_that_is_none_gets_nowhere() {
    for version in ["1.0; rm -rf /", "../../etc", "1.2.3\nx", "", "*"] {
        let platform = Platform::open().await;
        let upgrade = platform.start(version).await.drain().await;
        upgrade.expect_failed("invalid_version");
        assert!(platform.git.seen().iter().all(|request| !request.path.contains("etc")));
    }
}

#[tokio::test]
async fn an_empty_repository_is_told_from_a_missing_tag() {
    let platform = Platform::open().await;
    let app = platform.repositories.path().join("app");
    std::fs::remove_dir_all(&app).expect("the repository");
    git(platform.repositories.path(), &["init", "--quiet", "app"]);
    assert!(refused(&platform, "git_repository_empty").await.contains("UPGRADE_GIT_REMOTE"));
}

#[tokio::test]
async fn what_is_no_repository_is_called_so() {
    let platform = of_manner(Manner::WebPage).await;
    assert!(refused(&platform, "git_not_a_repository").await.contains("UPGRADE_GIT_REMOTE"));
}

#[tokio::test]
async fn a_tag_on_a_file_is_no_version() {
    let platform = Platform::open().await;
    git(&platform.repositories.path().join("app"), &["tag", "v2.0.0", "HEAD:README.md"]);
    platform.start("2.0.0").await.drain().await.expect_failed("git_tag_not_a_commit");
}

#[tokio::test]
async fn a_tag_that_was_moved_is_noticed_before_anything_is_built() {
    let platform = Platform::open().await;
    let other = "0123456789abcdef0123456789abcdef01234567";
    let input = json!({"target_version": "1.2.3", "target_sha": other});
    let upgrade = platform.start_with(input).await.drain().await;
    let failure = upgrade.expect_failed("sha_mismatch");
    assert!(failure.message.contains(other) && failure.message.contains(&platform.commit), "{failure}");
    assert!(platform.azure.requests().is_empty());
}

#[tokio::test]
async fn a_plan_to_build_is_held_to_once_the_commit_is_known() {
    let platform = Platform::open().await;
    let agreed = |commit: &str| {
        let hash = plan::hash(None, "1.2.3", commit, Strategy::BuildOnly);
        json!({"target_version": "1.2.3", "plan_hash": hash})
    };
    let moved = platform.start_with(agreed("0123456789abcdef0123456789abcdef01234567")).await.drain().await;
    moved.expect_failed("plan_outdated");
    assert!(platform.azure.requests().is_empty());
    platform.start_with(agreed(&platform.commit)).await.drain().await.expect_succeeded();
}

#[tokio::test]
async fn a_repository_that_unpacks_to_too_much_is_given_up() {
    let platform = Platform::open().await;
    let app = platform.repositories.path().join("app");
    // Packs to next to nothing.
    let file = std::fs::File::create(app.join("zeros")).and_then(|file| file.set_len((256 << 20) + 1));
    file.expect("a file with a hole");
    make_repository(&app, &[], &["v2.0.0"]);
    let upgrade = platform.start("2.0.0").await.drain().await;
    assert!(upgrade.expect_failed("git_too_large").message.contains("smaller"));
}

#[tokio::test]
async fn a_repository_that_wants_a_password_says_which_setting_brings_it() {
    let manner = Manner::RequireBasic { user: "robot".into(), password: "pl4nted-s3cret".into() };
    let platform = of_manner(manner).await;
    assert!(refused(&platform, "git_authentication_required").await.contains("UPGRADE_GIT_TOKEN"));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let elsewhere = tempfile::tempdir().expect("a directory");
    make_repository(&elsewhere.path().join("app"), &[("a", "1")], &["v1.2.3"]);
    let elsewhere = GitServer::start(elsewhere.path(), Manner::Plain).await;
    let platform = of_manner(Manner::RedirectTo(elsewhere.url("").trim_end_matches('/').to_owned())).await;
    refused(&platform, "git_redirect_refused").await;
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_loopback_address_is_refused_outside_development() {
    let remote =
        |server: &GitServer| Remote::parse(&format!("https://localhost:{}/app", server.port()), &PRODUCTION).ok();
    let platform = Platform::of(Plan { remote, ..Plan::default() }).await;
    let message = refused(&platform, "git_address_refused").await;
    assert!(message.contains("localhost") && message.contains("public"), "{message}");
    assert!(platform.git.seen().is_empty());
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again_as_late_as_it_wants() {
    let platform = of_manner(Manner::Status(503)).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_failed("git_unreachable");
    assert_eq!(upgrade.retried(), ["git_unreachable"; 10]);
    let tries: Vec<_> = upgrade.history.iter().filter(|event| event.kind == EventKind::Retrying).collect();
    // The server asks for seven seconds.
    assert!(tries.windows(2).all(|two| two[1].at.since(two[0].at) >= Duration::from_secs(7)));
}

#[tokio::test]
async fn a_closed_port_is_worth_another_try() {
    let remote = |_: &GitServer| Remote::parse("http://127.0.0.1:1/app", &DEVELOPMENT).ok();
    let platform = Platform::of(Plan { remote, ..Plan::default() }).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_failed("git_unreachable");
    assert_eq!(upgrade.retried().len(), 10);
}
