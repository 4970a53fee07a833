//! The probe's routes.

use serde_json::{Value, json};
use tokio::time::{Duration, Instant};
use windlass::model::Status;

use crate::api::{ADA, ADMIN, Answer, Api, BEN};

async fn status(api: &Api, id: &str) -> Answer {
    api.get(&format!("/api/probe/{id}/status")).by(ADA).send().await
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_started_looked_at_and_done() {
    let api = Api::new();
    let started = api.post("/api/probe/start").by(ADA).send().await;
    let id = started.body()["id"].as_str().unwrap().to_owned();
    let location = format!("/api/probe/{id}/status");
    let expected =
        json!({"id": id, "instance_id": id, "task_id": id, "statusQueryGetUri": location, "status": "queued"});
    assert_eq!((started.status, started.body()), (202, expected));
    assert_eq!((started.header("location"), started.header("retry-after")), (location.as_str(), "1"));

    let queued = api.get(&location).by(BEN).send().await;
    assert_eq!((queued.status, queued.header("location")), (200, ""));
    let created = api.run(&id).created_at.to_string();
    let expected = json!({
        "id": id, "runtime_status": "Pending", "custom_status": {"phase": "prepare", "progress": 0, "attempt": 1},
        "output": null, "created_time": created, "last_updated_time": created,
    });
    assert_eq!(queued.body(), expected);

    api.step().await;
    api.step().await;
    let running = status(&api, &id).await.body();
    assert_eq!(running["runtime_status"], "Running");
    assert_eq!(running["custom_status"], json!({"phase": "deploy", "progress": 50, "attempt": 1}));

    api.work().await;
    let done = status(&api, &id).await.body();
    assert_eq!(done["runtime_status"], "Completed");
    assert_eq!(done["custom_status"]["progress"], 100);
    assert_eq!(done["output"], json!({"phases": ["prepare", "build", "deploy", "verify"]}));
}

#[tokio::test(start_paused = true)]
async fn a_body_may_be_missing_empty_or_without_a_drill() {
    let api = Api::new();
    let start = || api.post("/api/probe/start").by(ADA);
    for call in [start(), start().header("content-type", "text/plain"), start().json(json!({}))] {
        assert_eq!(call.send().await.status, 202);
    }
    assert_eq!(api.world.runs().len(), 3);
    assert!(api.world.runs().iter().all(|run| run.input == json!({}) && run.started_by == ADA.0));
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_makes_no_sense_is_refused_with_directions() {
    let api = Api::new();
    let cases = [
        (json!({"drill": {"phase": "sleep", "action": "wait"}}), "unknown_phase", "prepare, build, deploy, verify"),
        (json!({"drill": {"phase": "build", "action": "wait", "seconds": 86_401}}), "invalid_seconds", "86400"),
        (json!({"drill": {"phase": "build", "action": "explode"}}), "invalid_field", "`explode`"),
        (json!({"drill": {"phase": "build", "action": "wait", "seconds": -1}}), "invalid_field", "drill.seconds"),
        (json!({"dril": {}}), "invalid_field", "`dril`"),
        (json!([]), "not_an_object", "object"),
    ];
    for (body, code, direction) in cases {
        let answer = api.post("/api/probe/start").by(ADA).json(body.clone()).send().await;
        assert_eq!(answer.code(), (400, code.into()), "{body}");
        assert!(answer.message().contains(direction), "{}", answer.message());
    }
    let untyped = api.post("/api/probe/start").by(ADA).json(json!({})).header("content-encoding", "gzip").send().await;
    assert_eq!(untyped.code(), (415, "unsupported_media_type".into()));
    assert!(api.world.runs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_key_gives_the_same_run_and_another_request_under_it_is_refused() {
    let api = Api::new();
    let start = |key: &str, body: Value| api.post("/api/probe/start").by(ADA).header("Idempotency-Key", key).json(body);
    let first = start("k-1", json!({})).send().await;
    let again = start("k-1", json!({})).send().await;
    assert_eq!((again.status, again.body()), (202, first.body()));
    api.work().await;
    assert_eq!(start("k-1", json!({})).send().await.body(), first.body());

    let other = start("k-1", json!({"drill": {"phase": "build", "action": "fail"}})).send().await;
    assert_eq!(other.code(), (409, "idempotency_key_reused".into()));
    assert!(other.message().contains(first.body()["id"].as_str().unwrap()));
    assert_ne!(start("k-2", json!({})).send().await.body()["id"], first.body()["id"]);
    assert_eq!(start("a b", json!({})).send().await.code(), (400, "invalid_idempotency_key".into()));
    assert_eq!(api.world.runs().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_callers_may_use_one_key() {
    let api = Api::new();
    let start = |who| api.post("/api/probe/start").by(who).header("Idempotency-Key", "nightly").send();
    let (ada, ben) = (start(ADA).await, start(BEN).await);
    assert_eq!((ada.status, ben.status), (202, 202));
    assert_ne!(ada.body()["id"], ben.body()["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_cannot_be_queued_is_told_and_ended() {
    let api = Api::new();
    api.fail("send probe-prepare", 3);
    let answer = api.post("/api/probe/start").by(ADA).send().await;
    assert_eq!(answer.code(), (503, "not_queued".into()));
    assert_eq!(answer.header("retry-after"), "5");
    assert!(api.world.runs().iter().all(|run| run.status() == Status::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_drill_says_what_it_waits_for_and_goes_on_when_released() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "block"})).await;
    api.work().await;
    let blocked = status(&api, &id).await.body();
    assert_eq!(blocked["custom_status"]["phase"], "build");
    assert!(blocked["custom_status"]["waiting_for"].as_str().unwrap().contains("release"));

    let released = api.post(&format!("/api/probe/{id}/release")).by(BEN).send().await;
    assert_eq!((released.status, released.body()["id"].as_str()), (202, Some(id.as_str())));
    assert_eq!(released.header("location"), format!("/api/probe/{id}/status"));
    api.work().await;
    assert_eq!(status(&api, &id).await.body()["runtime_status"], "Completed");

    let late = api.post(&format!("/api/probe/{id}/release")).by(BEN).send().await;
    assert_eq!(late.code(), (410, "run_ended".into()));
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_says_why() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "fail"})).await;
    api.work().await;
    let failed = status(&api, &id).await.body();
    assert_eq!((&failed["runtime_status"], &failed["failure"]["code"]), (&json!("Failed"), &json!("drill_failure")));
    assert_eq!(failed["custom_status"]["progress"], 25);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_probe_is_unknown_here() {
    let api = Api::new();
    let upgrade = api.upgrade([]).await;
    let never = "0123456789-01234567890123456789";
    for id in [upgrade.as_str(), never, "x", "..%2F..", "%FF", "%00"] {
        let found = api.get(&format!("/api/probe/{id}/status")).by(ADA).send().await;
        assert_eq!(found.code(), (404, "unknown_run".into()), "{id}");
        let released = api.post(&format!("/api/probe/{id}/release")).by(ADMIN).send().await;
        assert_eq!(released.code(), (404, "unknown_run".into()), "{id}");
    }
    assert!(api.run(&upgrade).signals.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_known_state_is_not_sent_again() {
    let api = Api::new();
    let id = api.probe(json!(null)).await;
    let first = status(&api, &id).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{tag}");
    assert_eq!(first.header("cache-control"), "no-cache");
    let known = |tag: &str| api.get(&format!("/api/probe/{id}/status")).by(ADA).header("If-None-Match", tag).send();
    for known_tag in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let same = known(&known_tag).await;
        assert_eq!((same.status, same.bytes.len(), same.header("etag")), (304, 0, tag.as_str()), "{known_tag}");
    }
    api.step().await;
    let changed = known(&tag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test(start_paused = true)]
async fn a_wait_with_a_known_state_ends_at_the_next_one() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "block"})).await;
    let tag = status(&api, &id).await.header("etag").to_owned();
    let waiting = api.get(&format!("/api/probe/{id}/status?wait=25")).by(ADA).header("If-None-Match", &tag).send();
    let worker = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        api.step().await;
    };
    let began = Instant::now();
    let (answer, ()) = tokio::join!(waiting, worker);
    assert_eq!((answer.status, &answer.body()["custom_status"]["phase"]), (200, &json!("build")));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_a_known_state_ends_with_the_run() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "wait", "seconds": 8})).await;
    let waiting = api.get(&format!("/api/probe/{id}/status?wait=25")).by(ADA).send();
    let worker = async {
        for _ in 0..15 {
            api.work().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let (answer, ()) = tokio::join!(waiting, worker);
    assert_eq!(answer.body()["runtime_status"], "Completed");
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_vain_ends_with_its_time() {
    let api = Api::new();
    let id = api.probe(json!(null)).await;
    let began = Instant::now();
    let answer = api.get(&format!("/api/probe/{id}/status?wait=20")).by(ADA).send().await;
    assert_eq!((answer.status, &answer.body()["runtime_status"]), (200, &json!("Pending")));
    assert_eq!(began.elapsed().as_secs(), 20);
    let known =
        api.get(&format!("/api/probe/{id}/status?wait=20")).by(ADA).header("If-None-Match", answer.header("etag"));
    assert_eq!(known.send().await.status, 304);
    assert_eq!(began.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_once_the_run_has_ended() {
    let api = Api::new();
    let id = api.probe(json!(null)).await;
    api.work().await;
    let began = Instant::now();
    let answer = api.get(&format!("/api/probe/{id}/status?wait=25")).by(ADA).send().await;
    let known =
        api.get(&format!("/api/probe/{id}/status?wait=25")).by(ADA).header("If-None-Match", answer.header("etag"));
    assert_eq!((answer.status, known.send().await.status), (200, 304));
    assert_eq!(began.elapsed(), Duration::ZERO);
}
