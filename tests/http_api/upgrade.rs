//! Starting an upgrade and looking at it.

use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use windlass::model::Verdict;

use crate::api::{ADA, ADMIN, Act, Answer, Api, LISTED};

fn wanted() -> Value {
    json!({"target_version": "1.2.3", "confirm_downtime": true})
}

async fn start(api: &Api, body: Value) -> Answer {
    api.post("/api/upgrade/start").by(ADMIN).json(body).send().await
}

async fn status(api: &Api) -> Value {
    let answer = api.get("/api/upgrade/status").by(ADA).send().await;
    assert_eq!(answer.status, 200);
    answer.body()
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_is_queued_with_everything_that_a_dashboard_needs() {
    let api = Api::new();
    let body = json!({
        "target_version": "1.2.3-rc.1", "target_sha": "0A1B2C3", "confirm_downtime": true, "reason": "a new feature",
    });
    let answer = start(&api, body).await;
    let id = answer.body()["job_id"].as_str().unwrap().to_owned();
    let run = api.run(&id);
    let expected = json!({
        "job_id": id, "state": "queued", "target_version": "1.2.3-rc.1", "target_sha": "0a1b2c3", "progress": 1,
        "started_by": ADMIN.0, "created_at": run.created_at, "statusQueryGetUri": "/api/upgrade/status",
        "terminatePostUri": format!("/api/runs/{id}/terminate"),
    });
    assert_eq!((answer.status, answer.body()), (202, expected));
    assert_eq!((answer.header("location"), answer.header("retry-after")), ("/api/upgrade/status", "2"));
    assert_eq!((run.pipeline.as_str(), run.scope.as_str()), ("upgrade", "platform"));
    let input = json!({"target_version": "1.2.3-rc.1", "target_sha": "0a1b2c3", "reason": "a new feature"});
    assert_eq!(run.input, input);
}

#[tokio::test(start_paused = true)]
async fn only_admins_start_and_everybody_else_hears_nothing_of_the_body() {
    let api = Api::new();
    for body in [wanted(), json!({"nonsense": 1})] {
        let answer = api.post("/api/upgrade/start").by(ADA).json(body).send().await;
        assert_eq!(answer.code(), (403, "not_an_admin".into()));
    }
    let listed = api.post("/api/upgrade/start").by(LISTED).json(wanted()).send().await;
    assert_eq!(listed.status, 202);
}

#[tokio::test(start_paused = true)]
async fn downtime_is_confirmed_by_true_and_nothing_else() {
    let api = Api::new();
    for confirm in [json!(false), json!(null), json!("true"), json!(1), json!({}), Value::Null] {
        let mut body = wanted();
        body["confirm_downtime"] = confirm.clone();
        assert_eq!(start(&api, body).await.code(), (422, "downtime_not_confirmed".into()), "{confirm}");
    }
    let silent = start(&api, json!({"target_version": "1.2.3"})).await;
    assert_eq!(silent.code(), (422, "downtime_not_confirmed".into()));
    assert!(api.world.runs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_could_do_harm_or_makes_no_sense_is_refused() {
    let api = Api::new();
    let with = |field: &str, value: Value| {
        let mut body = wanted();
        body[field] = value;
        body
    };
    let cases = [
        (with("target_version", json!("1.0; rm -rf /")), "invalid_version"),
        (with("target_version", json!("../../etc")), "invalid_version"),
        (with("target_version", json!("")), "invalid_version"),
        (with("target_version", json!(format!("1.2.3-{}", "a".repeat(59)))), "invalid_version"),
        (with("target_version", json!(1.2)), "invalid_field"),
        (json!({"confirm_downtime": true}), "invalid_field"),
        (with("target_sha", json!("HEAD")), "invalid_sha"),
        (with("target_sha", json!("abc")), "invalid_sha"),
        (with("reason", json!("r".repeat(501))), "reason_too_long"),
        (with("force", json!(true)), "invalid_field"),
        (with("idempotency_key", json!("a b")), "invalid_idempotency_key"),
    ];
    for (body, code) in cases {
        assert_eq!(start(&api, body.clone()).await.code(), (400, code.into()), "{body}");
    }
    assert_eq!(api.post("/api/upgrade/start").by(ADMIN).send().await.code(), (400, "missing_body".into()));
    assert!(api.world.runs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_second_upgrade_is_refused_while_one_is_in_flight() {
    let api = Api::new();
    let first = api.upgrade([Act::fatal("x", "y")]).await;
    let second = start(&api, wanted()).await;
    assert_eq!(second.code(), (409, "upgrade_in_flight".into()));
    assert!(second.message().contains(&first), "{}", second.message());
    api.work().await;
    assert_eq!(start(&api, wanted()).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn of_two_racing_starts_exactly_one_wins() {
    let api = Api::new();
    let (a, b) = tokio::join!(start(&api, wanted()), start(&api, wanted()));
    let mut outcomes = [a.status, b.status];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [202, 409]);
    assert_eq!(api.world.runs().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_in_header_or_body_gives_the_same_upgrade() {
    let api = Api::new();
    let mut keyed = wanted();
    keyed["idempotency_key"] = json!("k");
    let first = start(&api, keyed.clone()).await;
    assert_eq!(first.status, 202);
    assert_eq!(start(&api, keyed.clone()).await.body(), first.body());
    let by_header = api.post("/api/upgrade/start").by(ADMIN).header("Idempotency-Key", "k").json(wanted()).send().await;
    assert_eq!((by_header.status, by_header.body()), (202, first.body()));
    let both =
        |header| api.post("/api/upgrade/start").by(ADMIN).header("Idempotency-Key", header).json(keyed.clone()).send();
    assert_eq!(both("k").await.status, 202);
    assert_eq!(both("other").await.code(), (400, "idempotency_key_mismatch".into()));

    let mut other = keyed;
    other["target_version"] = json!("1.2.4");
    assert_eq!(start(&api, other).await.code(), (409, "idempotency_key_reused".into()));
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_cannot_be_queued_leaves_the_platform_idle() {
    let api = Api::new();
    api.fail("send upgrade-fetching", 3);
    let answer = start(&api, wanted()).await;
    assert_eq!((answer.code(), answer.header("retry-after")), ((503, "not_queued".into()), "5"));
    assert_eq!(status(&api).await["state"], "idle");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(start(&api, wanted()).await.status, 202);
    assert_eq!(status(&api).await["state"], "queued");
}

#[tokio::test(start_paused = true)]
async fn who_tries_again_with_the_same_key_after_a_failed_enqueue_gets_an_upgrade() {
    let api = Api::new();
    let keyed = || api.post("/api/upgrade/start").by(ADMIN).header("Idempotency-Key", "k").json(wanted()).send();
    for _ in 0..2 {
        api.fail("send upgrade-fetching", 3);
        assert_eq!(keyed().await.code(), (503, "not_queued".into()));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let started = keyed().await;
    assert_eq!((started.status, &started.body()["state"]), (202, &json!("queued")));
    assert_eq!(keyed().await.body(), started.body());
    assert_eq!(status(&api).await["job_id"], started.body()["job_id"]);
    let mut other = wanted();
    other["target_version"] = json!("1.2.4");
    let reused = api.post("/api/upgrade/start").by(ADMIN).header("Idempotency-Key", "k").json(other).send().await;
    assert_eq!(reused.code(), (409, "idempotency_key_reused".into()));
}

#[tokio::test(start_paused = true)]
async fn an_idle_platform_says_so_and_does_not_make_wait() {
    let api = Api::new();
    let began = Instant::now();
    let answer = api.get("/api/upgrade/status?wait=25").by(ADA).send().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    let expected = json!({
        "state": "idle", "kind": null, "job_id": null, "target_version": null, "target_sha": null,
        "from_version": null, "current_version": null, "strategy": null, "commit": null, "progress": 0,
        "components": [], "rollout": null, "approval": null, "validation": null,
        "rollback": {
            "available": false, "available_until": null, "seconds_left": null, "job_id": null, "to_version": null,
            "reason_not_available":
                "No upgrade has changed the platform yet, so there is nothing to go back to.",
        },
        "error": null, "why": null, "cancel_requested": false, "started_by": null, "retry_of": null,
        "created_at": null, "updated_at": null, "ended_at": null, "log_urls": {},
    });
    assert_eq!(answer.body(), expected);
    let known = api.get("/api/upgrade/status").by(ADA).header("If-None-Match", answer.header("etag")).send().await;
    assert_eq!(known.status, 304);
    api.upgrade([]).await;
    let known = api.get("/api/upgrade/status").by(ADA).header("If-None-Match", answer.header("etag")).send().await;
    assert_eq!(known.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_status_follows_an_upgrade_from_queue_to_images() {
    let api = Api::new();
    let digest = format!("sha256:{}", "d".repeat(64));
    let building = json!({
        "commit": "0a1b2c3d", "progress": 45,
        "builds": {
            "api": {"image": "elb-api:v1.2.3", "run_id": "cf1", "status": "running", "digest": null, "log_bytes": 12},
            "frontend": {"image": "elb-frontend:v1.2.3", "run_id": null, "status": "scheduled"},
        },
    });
    let built = json!({
        "commit": "0a1b2c3d", "progress": 70, "builds": {"api": {"status": "succeeded", "run_id": "cf1", "digest": digest}},
    });
    let output = json!({"images": {"api": {"image": "elb-api:v1.2.3", "digest": digest}}});
    let done = Act { state: built, ..Act::done(Verdict::Succeeded, output) };
    let id =
        api.upgrade([Act::wait(json!({})), Act::next(json!({"commit": "0a1b2c3d"})), Act::wait(building), done]).await;

    let queued = status(&api).await;
    assert_eq!((&queued["state"], &queued["progress"], &queued["job_id"]), (&json!("queued"), &json!(1), &json!(id)));
    assert_eq!(
        queued["components"][2],
        json!({"name": "terminal", "state": "waiting", "run_id": null, "digest": null, "image": null})
    );
    assert_eq!(queued["log_urls"]["frontend"], format!("/api/upgrade/jobs/{id}/build-log/frontend"));

    api.step().await;
    let fetching = status(&api).await;
    assert_eq!(
        (&fetching["state"], &fetching["progress"], &fetching["commit"]),
        (&json!("fetching"), &json!(10), &Value::Null)
    );

    tokio::time::sleep(Duration::from_secs(61)).await;
    api.step().await;
    let entered = status(&api).await;
    assert_eq!((&entered["state"], &entered["progress"]), (&json!("building"), &json!(30)));
    assert_eq!(entered["commit"], "0a1b2c3d");

    api.step().await;
    let building = status(&api).await;
    assert_eq!(
        (&building["state"], &building["progress"], &building["ended_at"]),
        (&json!("building"), &json!(45), &Value::Null)
    );
    let first = json!({"name": "api", "state": "running", "run_id": "cf1", "digest": null, "image": "elb-api:v1.2.3"});
    assert_eq!(building["components"][0], first);
    assert_eq!(building["components"][1]["state"], "scheduled");

    tokio::time::sleep(Duration::from_secs(61)).await;
    api.step().await;
    let done = status(&api).await;
    assert_eq!((&done["state"], &done["progress"], &done["error"]), (&json!("succeeded"), &json!(100), &Value::Null));
    let first =
        json!({"name": "api", "state": "succeeded", "run_id": "cf1", "digest": digest, "image": "elb-api:v1.2.3"});
    assert_eq!(done["components"][0], first);
    assert_eq!((&done["target_version"], &done["started_by"]), (&json!("1.2.3"), &json!(ADMIN.0)));
    assert_eq!(done["ended_at"], done["updated_at"]);
}

#[tokio::test(start_paused = true)]
async fn every_way_to_fail_before_the_rollout_is_failed_pre_with_its_cause() {
    let output = json!({"error": {"code": "build_failed", "message": "frontend did not build", "detail": {"component": "frontend"}}});
    let bare = Act::done(Verdict::Failed, json!({}));
    let cases = [
        (Act::fatal("remote_unset", "set UPGRADE_GIT_REMOTE"), "remote_unset", Value::Null),
        (Act::done(Verdict::Failed, output), "build_failed", json!("frontend")),
        (bare, "upgrade_failed", Value::Null),
    ];
    for (act, code, component) in cases {
        let api = Api::new();
        api.upgrade([act]).await;
        api.work().await;
        let failed = status(&api).await;
        assert_eq!((&failed["state"], &failed["error"]["code"]), (&json!("failed_pre"), &json!(code)));
        assert_eq!(failed["error"]["detail"]["component"], component);
        assert!(!failed["error"]["message"].as_str().unwrap().is_empty());
        assert!(failed["ended_at"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_of_a_failed_build_are_for_admins_as_its_log_is() {
    let detail = json!({"component": "api", "last_lines": ["what the build said"]});
    let output = json!({"error": {"code": "build_failed", "message": "api did not build", "detail": detail}});
    let api = Api::new();
    api.upgrade([Act::done(Verdict::Failed, output)]).await;
    api.work().await;
    let seen = async |path: &str, caller| {
        let body = api.get(path).by(caller).send().await.body();
        (body["error"]["detail"]["component"].clone(), body.to_string().contains("what the build said"))
    };
    assert_eq!(seen("/api/upgrade/status", ADA).await, (json!("api"), false));
    assert_eq!(seen("/api/upgrade/status", ADMIN).await, (json!("api"), true));
}

#[tokio::test(start_paused = true)]
async fn a_terminated_upgrade_is_failed_pre_as_cancelled() {
    let api = Api::new();
    let id = api.upgrade([Act::wait(json!({"progress": 12}))]).await;
    api.step().await;
    api.post(&format!("/api/runs/{id}/terminate?reason=wrong%20version")).by(LISTED).send().await;
    assert_eq!(status(&api).await["cancel_requested"], true);
    api.work().await;
    let body = status(&api).await;
    assert_eq!((&body["state"], &body["progress"]), (&json!("failed_pre"), &json!(12)));
    assert_eq!(body["error"]["code"], "cancelled");
    assert_eq!(
        (&body["error"]["detail"]["by"], &body["error"]["detail"]["reason"]),
        (&json!(LISTED.0), &json!("wrong version"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_of_an_unexpected_form_is_no_obstacle() {
    for state in [
        json!(null),
        json!([]),
        json!({"progress": "many", "builds": [1], "commit": 7}),
        json!({"builds": {"api": "x"}, "progress": 4711}),
    ] {
        let api = Api::new();
        api.upgrade([Act::next(state.clone()), Act::wait(state.clone())]).await;
        api.work().await;
        let body = status(&api).await;
        assert_eq!(
            (&body["state"], &body["components"][0]["state"]),
            (&json!("building"), &json!("waiting")),
            "{state}"
        );
        assert!((30..100).contains(&body["progress"].as_u64().unwrap()), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_status_ends_at_the_next_state() {
    let api = Api::new();
    api.upgrade([Act::wait(json!({}))]).await;
    let tag = api.get("/api/upgrade/status").by(ADA).send().await.header("etag").to_owned();
    let waiting = api.get("/api/upgrade/status?wait=25").by(ADA).header("If-None-Match", &tag).send();
    let worker = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        api.step().await;
    };
    let (answer, ()) = tokio::join!(waiting, worker);
    assert_eq!((answer.status, &answer.body()["state"]), (200, &json!("fetching")));
    assert_ne!(answer.header("etag"), tag);
}
