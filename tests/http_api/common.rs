//! What holds for every route.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::api::{ADA, ADMIN, Act, Api};

const PLANTED: &str = "pl4nted-s3cret";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn every_route_but_health(id: &str) -> Vec<(&'static str, String)> {
    vec![
        ("POST", "/api/probe/start".into()),
        ("GET", format!("/api/probe/{id}/status")),
        ("POST", format!("/api/probe/{id}/release")),
        ("GET", "/api/runs".into()),
        ("GET", format!("/api/runs/{id}")),
        ("POST", format!("/api/runs/{id}/rewind")),
        ("POST", format!("/api/runs/{id}/terminate")),
        ("POST", "/api/upgrade/start".into()),
        ("GET", "/api/upgrade/status".into()),
        ("POST", "/api/upgrade/plan".into()),
        ("POST", "/api/upgrade/rollback".into()),
        ("GET", "/api/upgrade/rollback-preflight".into()),
        ("GET", "/api/upgrade/escape-hatch".into()),
        ("GET", "/api/upgrade/history".into()),
        ("POST", format!("/api/upgrade/jobs/{id}/approve")),
        ("POST", format!("/api/upgrade/jobs/{id}/verdict")),
        ("POST", format!("/api/upgrade/jobs/{id}/retry")),
        ("GET", "/api/upgrade/candidates".into()),
        ("POST", "/api/upgrade/check".into()),
        ("POST", "/api/upgrade/settings".into()),
        ("GET", format!("/api/upgrade/jobs/{id}/build-log/api")),
    ]
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_anywhere_without_a_credential() {
    let api = Api::new();
    let id = api.probe(json!(null)).await;
    for (method, path) in every_route_but_health(&id) {
        let answer = api.call(method, &path).header("content-type", "application/json").send().await;
        assert_eq!(answer.code(), (401, "missing_credential".into()), "{method} {path}");
        let request_id = answer.body()["request_id"].as_str().unwrap().to_owned();
        assert_eq!(request_id, answer.header("x-request-id"), "{method} {path}");
    }
    assert_eq!(api.world.runs().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn paths_are_found_in_any_case_escaped_and_with_a_slash_behind() {
    let api = Api::new();
    let id = api.upgrade([]).await;
    let log = format!("/API/upgrade/JOBS/{id}/Build-Log/api/");
    for path in
        ["/API/Upgrade/STATUS", "/api/upgrade/status/", "/api/%75pgrade/status", "/api/runs/", "/Api/Health", &log]
    {
        assert_eq!(api.get(path).by(ADMIN).send().await.status, 200, "{path}");
    }
    let started = api.post("/Api/Probe/Start/?code=x").by(ADA).send().await;
    assert_eq!(started.status, 202);
    // A value keeps its case, and a component in another case is another component.
    let other = api.get(&format!("/api/upgrade/jobs/{id}/build-log/API")).by(ADMIN).send().await;
    assert_eq!(other.code(), (400, "unknown_component".into()));
}

#[tokio::test(start_paused = true)]
async fn unknown_paths_and_methods_are_refused_in_our_form() {
    let api = Api::new();
    for path in
        ["/", "/api", "/api/upgrade", "/api/upgrade/other", "/api/probe/start/more", "/api/runs//", "/api//runs"]
    {
        assert_eq!(api.get(path).by(ADMIN).send().await.code(), (404, "route_not_found".into()), "{path}");
    }
    let wrong = api.call("DELETE", "/api/probe/start").by(ADA).send().await;
    assert_eq!((wrong.code(), wrong.header("allow")), ((405, "method_not_allowed".into()), "POST"));
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_silent_is_told_as_such() {
    let api = Api::new();
    let id = api.upgrade([]).await;
    for (method, path) in every_route_but_health(&id) {
        api.fail("", 100);
        let body = match path.rsplit('/').next() {
            Some("start") => json!({"target_version": "1.2.3", "confirm_downtime": true}),
            Some("plan") => json!({"target_version": "1.2.3"}),
            Some("settings") => json!({"track_commits": true}),
            Some("rollback") => json!({"reason": "x"}),
            Some("approve") => json!({"plan_hash": "x"}),
            Some("verdict") => json!({"verdict": "failed", "reason": "x"}),
            _ => Value::Null,
        };
        let call = api.call(method, &path).by(ADMIN);
        let call = if body.is_null() || path.contains("/probe/") { call } else { call.json(body) };
        let answer = call.send().await;
        assert_eq!(answer.code(), (503, "storage_unavailable".into()), "{method} {path}");
        assert_eq!(answer.header("retry-after"), "5", "{method} {path}");
        assert!(!answer.text().contains("the world is silent"), "{}", answer.text());
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_no_wait_is_refused() {
    let api = Api::new();
    let id = api.upgrade([]).await;
    let paths = [
        format!("/api/probe/{id}/status"),
        format!("/api/runs/{id}"),
        "/api/upgrade/status".into(),
        format!("/api/upgrade/jobs/{id}/build-log/api"),
    ];
    for path in paths {
        for wait in ["26", "-1", "soon", ""] {
            let answer = api.get(&format!("{path}?wait={wait}")).by(ADMIN).send().await;
            assert_eq!(answer.code(), (400, "invalid_wait".into()), "{path} {wait}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn health_needs_no_caller_and_tells_what_is_there() {
    let api = Api::new();
    let answer = api.get("/api/health").send().await;
    let expected = json!({
        "status": "ready", "version": env!("CARGO_PKG_VERSION"), "pipelines": ["probe", "upgrade", "rollback", "retention"],
        "disabled": [], "warnings": 0, "checks": {"queue": "ok", "storage": "ok"},
    });
    assert_eq!((answer.status, answer.body(), answer.header("cache-control")), (200, expected, "no-store"));
}

#[tokio::test(start_paused = true)]
async fn a_failing_check_is_named_to_callers_and_explained_in_the_log_alone() {
    let api = Api::new();
    let (log, _guard) = Log::capture();
    *api.health.fault.lock().unwrap() = Some(format!("no such host: AccountKey={PLANTED}"));
    let answer = api.get("/api/health").send().await;
    assert_eq!((answer.status, &answer.body()["checks"]), (503, &json!({"queue": "ok", "storage": "failing"})));
    assert_eq!(answer.body()["status"], "unavailable");
    assert!(!answer.text().contains("no such host"));
    assert!(log.text().contains("no such host") && !log.text().contains(PLANTED), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn checks_that_hang_are_not_waited_for() {
    let api = Api::new();
    *api.health.hangs.lock().unwrap() = true;
    let answer = tokio::time::timeout(Duration::from_secs(30), api.get("/api/health").send()).await.unwrap();
    assert_eq!((answer.status, &answer.body()["checks"]), (503, &json!({"answer": "failing"})));
}

#[tokio::test(start_paused = true)]
async fn a_planted_secret_comes_out_nowhere() {
    let api = Api::new();
    let (log, _guard) = Log::capture();
    api.will([Act::fatal("clone_failed", &format!("cannot reach https://user:{PLANTED}@git.example/x"))]);
    let body = json!({
        "target_version": "1.2.3", "confirm_downtime": true, "reason": format!("because password={PLANTED}"),
    });
    let path = format!("/api/upgrade/start?code={PLANTED}");
    let key = format!("x-functions-key: {PLANTED}");
    let mut answers = vec![
        api.post(&path).by(ADMIN).header("x-functions-key", PLANTED).header("cookie", &key).json(body).send().await,
    ];
    let id = answers[0].body()["job_id"].as_str().unwrap().to_owned();
    api.step().await;
    answers.push(api.get(&format!("/api/upgrade/status?code={PLANTED}")).by(ADA).send().await);
    answers.push(api.get(&format!("/api/runs/{id}")).by(ADMIN).send().await);
    answers.push(api.get("/api/runs").by(ADMIN).send().await);

    let second = api.upgrade([]).await;
    let reason = format!("/api/runs/{second}/terminate?reason=Bearer%20{PLANTED}");
    answers.push(api.post(&reason).by(ADMIN).send().await);
    answers.push(api.get(&format!("/api/runs/{second}")).by(ADMIN).send().await);

    let bodies: Vec<_> = answers.iter().map(|answer| answer.text().to_owned()).collect();
    assert!(bodies[1].contains("https://***@git.example") && bodies[2].contains("password=***"), "{bodies:#?}");
    assert!(bodies[5].contains("Bearer ***"), "{}", bodies[5]);
    for text in bodies.iter().chain([&log.text()]) {
        assert!(!text.contains(PLANTED), "{text}");
    }
    let rows = format!("{:?}", api.world.tables.lock().unwrap().rows);
    assert!(!rows.contains(PLANTED), "{rows}");
}
