//! The whole product as a developer runs it: `windlass-dev up`, its HTTP surface, and nothing in between.
//!
//! `WINDLASS_HOST=<program>` runs these under a real Functions host.

#[path = "support/azurite.rs"]
mod azurite;
mod external_host;
#[path = "support/git_server.rs"]
mod git_server;
#[path = "support/local.rs"]
mod local;

use git_server::{GitServer, Manner, make_repository};
use local::{Caller, Local, Start};
use serde_json::{Value, json};

const DOCKERFILE: &str = "FROM alpine:3.20\nARG APP_VERSION\nRUN echo building $APP_VERSION\nCOPY . /app\n";

async fn probe_runs_to_its_end(base: &str) -> Value {
    let caller = Caller::of(base);
    let (status, started) = caller.post("/api/probe/start", &json!({})).await;
    assert_eq!(status, 202, "{started}");
    let path = started["statusQueryGetUri"].as_str().expect("where to look").to_owned();
    let ended = caller.until(&path, |body| body["runtime_status"] == "Completed").await;
    assert_eq!(ended["output"]["phases"], json!(["prepare", "build", "deploy", "verify"]));
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_runs_from_http_to_its_last_phase_on_embedded_storage() {
    let data = tempfile::tempdir().expect("a folder");
    let local = Local::start(&Start::embedded(data.path())).await;
    probe_runs_to_its_end(&local.base).await;
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_runs_from_http_to_its_last_phase_on_a_storage_account() {
    let data = tempfile::tempdir().expect("a folder");
    let azurite = azurite::Azurite::shared();
    let start = Start { storage: azurite.connection_string(), ..Start::embedded(data.path()) };
    let local = Local::start(&start.setting("WINDLASS_TABLE", "surface")).await;
    probe_runs_to_its_end(&local.base).await;
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_started_is_still_there_after_a_restart_and_goes_on() {
    let data = tempfile::tempdir().expect("a folder");
    let local = Local::start(&Start::embedded(data.path())).await;
    let caller = Caller::of(&local.base);
    let drill = json!({"drill": {"phase": "build", "action": "block"}});
    let (_, started) = caller.post("/api/probe/start", &drill).await;
    let id = started["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/probe/{id}/status");
    caller.until(&path, |body| body["custom_status"]["phase"] == "build").await;
    local.kill().await;

    let local = Local::start(&Start::embedded(data.path())).await;
    let caller = Caller::of(&local.base);
    let (status, _) = caller.post(&format!("/api/probe/{id}/release"), &json!({})).await;
    assert_eq!(status, 202);
    caller.until(&path, |body| body["runtime_status"] == "Completed").await;
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_from_a_git_tag_to_three_images_with_their_logs() {
    let repositories = tempfile::tempdir().expect("a folder");
    let files: Vec<(&str, &str)> = vec![
        ("api/Dockerfile", DOCKERFILE),
        ("frontend/Dockerfile", DOCKERFILE),
        ("terminal/Dockerfile", DOCKERFILE),
        ("README.md", "a platform\n"),
    ];
    let commit = make_repository(&repositories.path().join("platform"), &files, &["v1.2.3"]);
    let git = GitServer::start(repositories.path(), Manner::Plain).await;
    let data = tempfile::tempdir().expect("a folder");
    let start = Start::embedded(data.path()).setting("UPGRADE_GIT_REMOTE", &git.url("platform"));
    let local = Local::start(&start).await;
    let caller = Caller::of(&local.base);

    let (_, idle) = caller.get("/api/upgrade/status").await;
    assert_eq!(idle["state"], "idle");
    let body = json!({"target_version": "1.2.3", "target_sha": commit, "confirm_downtime": true});
    let (status, queued) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!((status, &queued["state"]), (202, &json!("queued")), "{queued}");
    let (status, refused) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!((status, &refused["code"]), (409, &json!("upgrade_in_flight")), "{refused}");

    let ended = |body: &Value| ["succeeded", "failed_pre"].iter().any(|state| body["state"] == *state);
    let status = caller.until("/api/upgrade/status", ended).await;
    assert_eq!(status["state"], "succeeded", "{status:#}");
    assert_eq!(status["commit"], commit);
    let job = queued["job_id"].as_str().expect("a job");
    for component in ["api", "frontend", "terminal"] {
        let log = caller.text(&format!("/api/upgrade/jobs/{job}/build-log/{component}")).await;
        assert!(log.contains("RUN echo building"), "{log}");
        assert!(log.contains("1.2.3"), "{log}");
    }
    let (status, run) = caller.get(&format!("/api/runs/{job}")).await;
    assert_eq!(status, 200);
    assert_eq!(run["historyIntact"], true, "{run:#}");
    local.stop().await;
}
