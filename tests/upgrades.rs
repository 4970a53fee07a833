//! Upgrades, ways back and what keeps them from succeeding, and Azure as the settings name it, through the whole product.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/git_server.rs"]
mod git_server;
#[path = "support/local.rs"]
mod local;

use std::path::Path;
use std::process::Stdio;

use git_server::{GitServer, Manner, make_repository};
use local::{Caller, Local, PATIENCE, Start};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const DOCKERFILE: &str = "FROM alpine:3.20\nARG APP_VERSION\nRUN echo building $APP_VERSION\n";

/// A platform of three components, tagged v1.2.3; and v2.0.0, in which one of them has no Dockerfile.
fn make_platform(root: &Path) {
    let files = ["api/Dockerfile", "frontend/Dockerfile", "terminal/Dockerfile"].map(|path| (path, DOCKERFILE));
    let platform = root.join("platform");
    make_repository(&platform, &files, &["v1.2.3"]);
    git_server::git(&platform, &["rm", "-q", "terminal/Dockerfile"]);
    git_server::git(&platform, &["commit", "-q", "-m", "a component less"]);
    git_server::git(&platform, &["tag", "v2.0.0"]);
}

async fn upgrade(caller: &Caller, version: &str) -> Value {
    let body = json!({"target_version": version, "confirm_downtime": true, "confirm_major": true});
    let (status, started) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!(status, 202, "{started}");
    let ended = |body: &Value| ["succeeded", "failed_pre"].iter().any(|state| body["state"] == *state);
    let status = caller.until("/api/upgrade/status", ended).await;
    assert_eq!(status["job_id"], started["job_id"]);
    status
}

fn failed(status: &Value, code: &str, words: &[&str]) {
    assert_eq!((&status["state"], &status["error"]["code"]), (&json!("failed_pre"), &json!(code)), "{status:#}");
    let message = status["error"]["message"].as_str().expect("a message");
    for word in words {
        assert!(message.contains(word), "no '{word}' in: {message}");
    }
}

fn nothing_is_left_in(data: &Path) {
    let left = std::fs::read_dir(data.join("workspaces")).into_iter().flatten().flatten();
    assert_eq!(left.map(|entry| entry.path()).collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_built_fails_by_name_and_leaves_the_platform_free() {
    let (repositories, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    make_platform(repositories.path());
    let git = GitServer::start(repositories.path(), Manner::Plain).await;
    let start = Start::embedded(data.path()).setting("UPGRADE_GIT_REMOTE", &git.url("platform"));
    let local = Local::start(&start).await;
    let caller = Caller::of(&local.base);
    let other = "0123456789abcdef0123456789abcdef01234567";
    failed(&upgrade(&caller, "9.9.9").await, "git_tag_not_found", &["v9.9.9", "push the tag"]);
    nothing_is_left_in(data.path());
    let body = json!({"target_version": "1.2.3", "target_sha": other, "confirm_downtime": true});
    let (status, refused) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!((status, &refused["code"]), (409, &json!("sha_mismatch")), "{refused}");
    nothing_is_left_in(data.path());
    failed(&upgrade(&caller, "2.0.0").await, "archive_dockerfile_not_found", &["terminal/Dockerfile"]);
    nothing_is_left_in(data.path());
    // Each was begun although the one before it had failed.
    assert_eq!(upgrade(&caller, "1.2.3").await["state"], "succeeded");
    nothing_is_left_in(data.path());
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_azure_without_a_login_is_told_by_the_upgrade_and_not_at_the_start() {
    let (repositories, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    make_platform(repositories.path());
    let git = GitServer::start(repositories.path(), Manner::Plain).await;
    let mut start = Start::embedded(data.path())
        .setting("UPGRADE_GIT_REMOTE", &git.url("platform"))
        .setting("PLATFORM_SUBSCRIPTION_ID", "11111111-2222-3333-4444-555555555555")
        .setting("PLATFORM_RESOURCE_GROUP", "platform")
        .setting("PLATFORM_ACR_NAME", "platformimages")
        .setting("UPGRADE_STRATEGY", "build_only")
        // Neither of the tools that somebody may be signed in with.
        .setting("PATH", "/nowhere");
    start.arguments.extend(["--azure".into(), "real".into()]);
    let local = Local::start(&start).await;
    let status = upgrade(&Caller::of(&local.base), "1.2.3").await;
    failed(&status, "azure_not_signed_in", &["az login"]);
    nothing_is_left_in(data.path());
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_azure_that_nobody_has_configured_is_told_by_its_settings() {
    let (repositories, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    make_platform(repositories.path());
    let git = GitServer::start(repositories.path(), Manner::Plain).await;
    let mut start = Start::embedded(data.path());
    start.arguments.extend(["--azure".into(), "real".into()]);
    let local = Local::start(&start).await;
    failed(&upgrade(&Caller::of(&local.base), "1.2.3").await, "remote_unset", &["UPGRADE_GIT_REMOTE"]);
    local.stop().await;

    let start = start.setting("UPGRADE_GIT_REMOTE", &git.url("platform"));
    let local = Local::start(&start).await;
    failed(&upgrade(&Caller::of(&local.base), "1.2.3").await, "app_unset", &["PLATFORM_CONTAINER_APP", "build_only"]);
    local.stop().await;

    let local = Local::start(&start.setting("UPGRADE_STRATEGY", "build_only")).await;
    let words = ["PLATFORM_SUBSCRIPTION_ID", "PLATFORM_RESOURCE_GROUP", "PLATFORM_ACR_NAME"];
    failed(&upgrade(&Caller::of(&local.base), "1.2.3").await, "registry_unset", &words);
    local.stop().await;
}

/// `windlass-dev azure`, and the settings that it has printed.
async fn azure() -> (Child, Vec<(String, String)>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_windlass-dev"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["azure", "--port", "0", "--pace", "5"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("windlass-dev runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut settings: Vec<(String, String)> = Vec::new();
    // Nothing says that it has printed them all, and nothing but settings is printed.
    while settings.iter().all(|(name, _)| name != "WINDLASS_AUTH_AUDIENCE") {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("a line");
        let line = line.expect("text").expect("it goes on");
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("that is no setting: {line}"));
        settings.push((name.to_owned(), value.to_owned()));
    }
    (child, settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_azure_command_prints_is_all_that_a_handler_needs() {
    let (repositories, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    make_platform(repositories.path());
    let git = GitServer::start(repositories.path(), Manner::Plain).await;
    let (_azure, settings) = azure().await;
    let mut start = Start::embedded(data.path()).setting("UPGRADE_GIT_REMOTE", &git.url("platform"));
    start.arguments.extend(["--azure".into(), "real".into()]);
    start.environment.extend(settings);
    let local = Local::start(&start).await;
    let status = upgrade(&Caller::of(&local.base), "1.2.3").await;
    assert_eq!(status["state"], "succeeded", "{status:#}");
    local.stop().await;
}

/// Until the upgrade or the way back is over.
async fn over(caller: &Caller) -> Value {
    let ends = ["succeeded", "failed_pre", "failed_rollout", "rolled_back", "rollback_failed"];
    caller.until("/api/upgrade/status", |body| ends.iter().any(|end| body["state"] == *end)).await
}

/// The next revision of the version will crash; the simulated Azure is where the images come from.
async fn spoil_the_next_revision(status: &Value) {
    let image = status["rollout"]["images"]["api"].as_str().expect("an image");
    let azure = image.split('/').next().expect("a registry");
    let fault = json!({"on": "revision", "part": "v1-2-3", "effect": {"kind": "crashing"}});
    let answer = reqwest::Client::new().post(format!("http://{azure}/_sim/faults")).json(&fault).send().await;
    assert!(answer.expect("an answer").status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_upgrade_serves_goes_back_by_a_call_and_the_next_one_by_itself() {
    let (repositories, data) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    make_platform(repositories.path());
    let git = GitServer::start(repositories.path(), Manner::Plain).await;
    let start = Start::embedded(data.path()).setting("UPGRADE_GIT_REMOTE", &git.url("platform"));
    let local = Local::start(&start).await;
    let caller = Caller::of(&local.base);

    let (_, plan) = caller.post("/api/upgrade/plan", &json!({"target_version": "1.2.3"})).await;
    let hash = plan["plan_hash"].clone();
    let body = json!({"target_version": "1.2.3", "confirm_downtime": true, "plan_hash": hash});
    let (status, started) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!(status, 202, "{started}");
    let upgraded = over(&caller).await;
    assert_eq!((&upgraded["state"], &upgraded["from_version"]), (&json!("succeeded"), &json!("1.0.0")), "{upgraded:#}");
    let (_, candidates) = caller.get("/api/upgrade/candidates").await;
    assert_eq!(candidates["running_version"], "1.2.3", "{candidates:#}");

    let (status, told) = caller.post("/api/upgrade/rollback", &json!({"reason": "customers complain"})).await;
    assert_eq!(status, 202, "{told}");
    assert_eq!(over(&caller).await["state"], "rolled_back");
    let (status, refused) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!((status, &refused["code"]), (409, &json!("plan_outdated")), "{refused}");

    spoil_the_next_revision(&upgraded).await;
    let body = json!({"target_version": "1.2.3", "confirm_downtime": true});
    let (status, started) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!(status, 202, "{started}");
    let sick = over(&caller).await;
    assert_eq!(sick["state"], "rolled_back", "{sick:#}");
    assert!(sick["error"]["message"].as_str().is_some_and(|message| message.contains("CrashLoopBackOff")), "{sick:#}");

    let (_, history) = caller.get("/api/upgrade/history").await;
    let told: Vec<_> = history["entries"].as_array().expect("entries").iter().map(|entry| &entry["state"]).collect();
    assert_eq!(told, ["rolled_back", "rolled_back", "succeeded"]);
    assert_eq!((&history["intact"], &history["broken"]), (&json!(true), &Value::Null));
    nothing_is_left_in(data.path());
    local.stop().await;
}
