//! Makes the fixtures anew with the programs of an earlier version: runs it, and kills it where its run is to be left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use windlass::model::Run;

use crate::git_server::{GitServer, Manner, make_repository};
use crate::local::{Caller, Local, Start};
use crate::shelf::Shelf;

const DOCKERFILE: &str = "FROM alpine:3.20\nARG APP_VERSION\nRUN echo building $APP_VERSION\n";
/// Tries to catch a run in a phase that is over in a moment.
const TRIES: usize = 25;

/// Where the earlier version's working tree is, and what its upgrades are fetched from.
pub struct Maker {
    tree: PathBuf,
    git: GitServer,
    _repositories: tempfile::TempDir,
}

/// How a run is begun and where it is left.
struct Case {
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    blue_green: bool,
    /// The new revision crashes.
    sick: bool,
    version: &'static str,
    /// What the status of the upgrade says when it is left.
    state: &'static str,
    /// The phase in which its row has to be then.
    phase: &'static str,
}

const PLAIN: Case =
    Case { name: "", settings: &[], blue_green: false, sick: false, version: "1.2.3", state: "", phase: "" };
const BLUE_GREEN: &[(&str, &str)] = &[("UPGRADE_STRATEGY", "blue_green"), ("UPGRADE_VALIDATE_SECONDS", "10")];

const CASES: &[Case] = &[
    Case { name: "upgrade-fetching", state: "fetching", phase: "fetching", ..PLAIN },
    Case { name: "upgrade-building", state: "building", phase: "building", ..PLAIN },
    Case {
        name: "upgrade-approving",
        settings: &[("UPGRADE_APPROVAL", "required")],
        state: "awaiting_approval",
        phase: "approving",
        ..PLAIN
    },
    Case { name: "upgrade-patching", state: "patching", phase: "patching", ..PLAIN },
    Case { name: "upgrade-rolling-out", state: "rolling_out", phase: "rolling-out", ..PLAIN },
    Case {
        name: "upgrade-validating",
        settings: BLUE_GREEN,
        blue_green: true,
        state: "validating",
        phase: "validating",
        ..PLAIN
    },
    Case {
        name: "upgrade-confirming",
        settings: BLUE_GREEN,
        blue_green: true,
        state: "confirming",
        phase: "confirming",
        ..PLAIN
    },
    Case { name: "upgrade-rolling-back", sick: true, state: "rolling_back", phase: "rolling-back", ..PLAIN },
    Case { name: "upgrade-succeeded", state: "succeeded", phase: "rolling-out", ..PLAIN },
    Case { name: "upgrade-rolled-back", sick: true, state: "rolled_back", phase: "rolling-back", ..PLAIN },
    Case { name: "upgrade-failed", version: "9.9.9", state: "failed_pre", phase: "fetching", ..PLAIN },
];

impl Maker {
    pub async fn of(tree: &Path) -> Self {
        let repositories = tempfile::tempdir().expect("a folder");
        let files = ["api/Dockerfile", "frontend/Dockerfile", "terminal/Dockerfile"].map(|path| (path, DOCKERFILE));
        make_repository(&repositories.path().join("platform"), &files, &["v1.2.3"]);
        let git = GitServer::start(repositories.path(), Manner::Plain).await;
        Self { tree: tree.to_owned(), git, _repositories: repositories }
    }

    pub async fn make(&self, into: &Path) {
        self.probes(into).await;
        self.terminated(into).await;
        for case in CASES {
            self.upgrade(case, into).await;
        }
    }

    fn start(&self, data: &Path, settings: &[(&str, &str)]) -> Start {
        let start = Start { version: Some(self.tree.clone()), pace: 60, ..Start::embedded(data) };
        let start = start.setting("UPGRADE_GIT_REMOTE", &self.git.url("platform"));
        settings.iter().fold(start, |start, (name, value)| start.setting(name, value))
    }

    /// One that is over, and some that are in the middle of everything.
    async fn probes(&self, into: &Path) {
        let data = tempfile::tempdir().expect("a folder");
        let local = Local::start(&self.start(data.path(), &[])).await;
        let caller = Caller::of(&local.base);
        let id = start(&caller, "/api/probe/start", "done", &json!({})).await;
        caller.until(&format!("/api/probe/{id}/status"), |body| body["runtime_status"] == "Completed").await;
        local.kill_all().await;
        Shelf::of(&data.path().join("storage")).write(&into.join("probe-completed.json"));

        let data = tempfile::tempdir().expect("a folder");
        let local = Local::start(&self.start(data.path(), &[])).await;
        let caller = Caller::of(&local.base);
        for (number, action) in ["block", "wait", "flake", "succeed", "succeed", "succeed"].into_iter().enumerate() {
            let drill = json!({"drill": {"phase": "build", "action": action, "seconds": 20}});
            let body = if action == "succeed" { json!({}) } else { drill };
            start(&caller, "/api/probe/start", &format!("left-{number}"), &body).await;
        }
        local.kill_all().await;
        Shelf::of(&data.path().join("storage")).write(&into.join("probes-left.json"));
    }

    async fn terminated(&self, into: &Path) {
        let data = tempfile::tempdir().expect("a folder");
        let local = Local::start(&self.start(data.path(), &[("UPGRADE_APPROVAL", "required")])).await;
        let caller = Caller::of(&local.base);
        let id = begin(&caller, "1.2.3").await;
        caller.until("/api/upgrade/status", |body| body["state"] == "awaiting_approval").await;
        caller.post(&format!("/api/runs/{id}/terminate?reason=a+drill"), &json!({})).await;
        caller.until(&format!("/api/runs/{id}"), |body| body["runtimeStatus"] == "Terminated").await;
        local.kill_all().await;
        Shelf::of(&data.path().join("storage")).write(&into.join("upgrade-terminated.json"));
    }

    async fn upgrade(&self, case: &Case, into: &Path) {
        for _ in 0..TRIES {
            let shelf = self.left(case).await;
            let runs: Vec<Run> = shelf.runs().into_iter().filter(|run| run.pipeline == "upgrade").collect();
            let ended = ["succeeded", "rolled_back", "failed_pre"].contains(&case.state);
            if matches!(runs.as_slice(), [run] if run.phase == case.phase && run.is_ended() == ended) {
                return shelf.write(&into.join(format!("{}.json", case.name)));
            }
        }
        panic!("{} was never caught in {}", case.name, case.phase);
    }

    async fn left(&self, case: &Case) -> Shelf {
        let data = tempfile::tempdir().expect("a folder");
        let local = Local::start(&self.start(data.path(), case.settings)).await;
        let caller = Caller::of(&local.base);
        let azure = local.azure.clone().expect("a simulated Azure");
        let tell = async |what: &str, body: Value| {
            let answer = reqwest::Client::new().post(format!("{azure}/_sim/{what}")).json(&body).send().await;
            assert!(answer.expect("an answer").status().is_success(), "{what}");
        };
        if case.blue_green {
            tell("app/mode", json!({"mode": "multiple"})).await;
        }
        if case.sick {
            tell("faults", json!({"on": "revision", "part": "v1-2-3", "effect": {"kind": "crashing"}})).await;
        }
        let id = begin(&caller, case.version).await;
        if case.state == "confirming" {
            caller.until("/api/upgrade/status", |body| body["state"] == "validating").await;
            let verdict = json!({"verdict": "successful", "reason": "it looks well"});
            let path = format!("/api/upgrade/jobs/{id}/verdict");
            for _ in 0..200 {
                if caller.post(&path, &verdict).await.0 < 300 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let ends = ["succeeded", "rolled_back", "failed_pre", "failed_rollout", "rollback_failed"];
        let there = |body: &Value| body["state"] == case.state || ends.iter().any(|end| body["state"] == *end);
        caller.until("/api/upgrade/status", there).await;
        local.kill_all().await;
        Shelf::of(&data.path().join("storage"))
    }
}

async fn begin(caller: &Caller, version: &str) -> String {
    let body = json!({"target_version": version, "confirm_downtime": true, "confirm_major": true});
    start(caller, "/api/upgrade/start", "the-upgrade", &body).await
}

/// The id of the run.
async fn start(caller: &Caller, path: &str, key: &str, body: &Value) -> String {
    let request = caller.request(reqwest::Method::POST, path).header("Idempotency-Key", key).json(body);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let id = answer["id"].as_str().or(answer["job_id"].as_str());
    id.unwrap_or_else(|| panic!("{path}: {answer}")).to_owned()
}
