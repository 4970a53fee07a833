//! Pipelines whose functions are switched off: what callers are told, and that nothing is written.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::engine::Resume;
use windlass::model::Verdict;

use crate::api::{ADA, ADMIN, Act, Answer, Api};
use crate::platform::{rollout, snapshot};

fn refused(api: &Api, answer: &Answer, queue: &str) {
    assert_eq!(answer.code(), (409, "pipeline_disabled".into()), "{}", answer.text());
    assert!(answer.message().contains(&format!("somebody switched {queue} off")), "{}", answer.message());
    assert!(answer.message().contains("Remove what switches it off"), "{}", answer.message());
    assert_eq!(api.world.messages().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_refused_by_any_phase_that_is_switched_off_and_writes_nothing() {
    let mut api = Api::new();
    api.close(&["probe-verify", "upgrade-rolling-back"]);
    let probe = api.post("/api/probe/start").by(ADA).json(json!({})).send().await;
    refused(&api, &probe, "probe-verify");
    let wanted = json!({"target_version": "1.2.3", "confirm_downtime": true});
    let upgrade = api.post("/api/upgrade/start").by(ADMIN).json(wanted).send().await;
    refused(&api, &upgrade, "upgrade-rolling-back");
    assert_eq!(*api.outside.asked.lock().unwrap(), 0, "and asks nobody outside");
    assert!(api.world.tables.lock().unwrap().rows.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plan_tells_that_its_start_would_be_refused() {
    let mut api = Api::new();
    api.close(&["upgrade-building"]);
    let answer = api.post("/api/upgrade/plan").by(ADMIN).json(json!({"target_version": "1.2.3"})).send().await;
    let refusals = answer.body()["refusals"].clone();
    assert_eq!((answer.status, &refusals[0]["code"]), (200, &json!("pipeline_disabled")), "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_granted_before_is_granted_again() {
    let mut api = Api::new();
    let keyed = async |api: &Api| {
        let call = api.post("/api/probe/start").by(ADA).header("Idempotency-Key", "k");
        call.json(json!({})).send().await
    };
    let first = keyed(&api).await;
    api.close(&["probe-build"]);
    assert_eq!((first.status, keyed(&api).await.body()), (202, first.body()));
}

#[tokio::test(start_paused = true)]
async fn a_rewind_is_refused_by_the_phases_that_are_still_to_come_alone() {
    let mut api = Api::new();
    let id = api.probe(json!({"phase": "deploy", "action": "fail"})).await;
    api.work().await;
    let rewind = async |api: &Api| api.post(&format!("/api/runs/{id}/rewind")).by(ADMIN).send().await;
    api.close(&["probe-verify"]);
    let before = api.world.tables.lock().unwrap().rows.len();
    refused(&api, &rewind(&api).await, "probe-verify");
    assert_eq!(api.world.tables.lock().unwrap().rows.len(), before);
    api.close(&["probe-build"]);
    assert_eq!(rewind(&api).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn an_upgrades_retry_and_a_rollback_are_refused_likewise() {
    let resume = |_: &_, _| Ok(Resume { phase: "building", state: json!({}) });
    let mut api = Api::resuming(Some(resume));
    let id = api.upgrade_failed_in("building", json!({})).await;
    api.close(&["upgrade-patching", "rollback-rolling-back"]);
    let retry = api.post(&format!("/api/upgrade/jobs/{id}/retry")).by(ADMIN).send().await;
    refused(&api, &retry, "upgrade-patching");

    let mut api = Api::new();
    let id = api.upgrade([Act::done(Verdict::Succeeded, json!({}))]).await;
    api.work().await;
    api.remember("snapshot", &snapshot(&id, "in_place", api.world.now() + Duration::from_secs(3600))).await;
    api.close(&["rollback-rolling-back"]);
    let back = api.post("/api/upgrade/rollback").by(ADMIN).json(json!({"reason": "x"})).send().await;
    refused(&api, &back, "rollback-rolling-back");
    let preflight = api.get("/api/upgrade/rollback-preflight").by(ADMIN).send().await.body();
    assert_eq!(preflight["available"], json!(false));
    assert!(preflight["reason"].as_str().unwrap().contains("rollback-rolling-back"), "{preflight}");
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_nobody_moves_is_not_told_to_go_back() {
    let mut api = Api::new();
    let id = api.upgrade_in("rolling-out", rollout()).await;
    api.remember("snapshot", &snapshot(&id, "in_place", api.world.now() + Duration::from_secs(3600))).await;
    for queue in ["upgrade-rolling-out", "upgrade-rolling-back"] {
        api.close(&[queue]);
        let back = api.post("/api/upgrade/rollback").by(ADMIN).json(json!({"reason": "x"})).send().await;
        assert_eq!(back.code(), (409, "pipeline_disabled".into()), "{}", back.text());
        assert!(back.message().contains(queue), "{}", back.message());
        let preflight = api.get("/api/upgrade/rollback-preflight").by(ADMIN).send().await.body();
        assert!(preflight["reason"].as_str().is_some_and(|reason| reason.contains(queue)), "{preflight}");
    }
    api.close(&["upgrade-building"]);
    let back = api.post("/api/upgrade/rollback").by(ADMIN).json(json!({"reason": "x"})).send().await;
    assert_eq!(back.status, 202, "{}", back.text());
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_whose_row_cannot_be_read_is_named_to_who_starts_another_and_forgotten_once_it_is_over() {
    let api = Api::new();
    let earlier = api.upgrade([Act::done(Verdict::Succeeded, json!({}))]).await;
    api.work().await;
    let id = api.upgrade_in("building", json!({})).await;
    let spoil = |flaw: Option<&str>| {
        let run = api.run(&earlier).id;
        let place = (run.tag().to_string(), format!("run:{}", id.split_once('-').unwrap().1));
        api.world.tables.lock().unwrap().rows.get_mut(&place).unwrap().flaw = flaw.map(str::to_owned);
    };
    spoil(Some("it is broken"));
    let wanted = json!({"target_version": "1.2.3", "confirm_downtime": true});
    let start = api.post("/api/upgrade/start").by(ADMIN).json(wanted).send().await;
    assert_eq!(start.code(), (409, "run_in_flight".into()), "{}", start.text());
    assert!(start.message().contains(&id), "{}", start.message());
    assert_eq!(api.get("/api/upgrade/status").by(ADA).send().await.code(), (503, "run_unreadable".into()));

    spoil(None);
    api.will([Act::fatal("sick", "it is sick")]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    api.work().await;
    spoil(Some("it is broken"));
    let status = api.get("/api/upgrade/status").by(ADA).send().await;
    assert_eq!((status.status, &status.body()["job_id"]), (200, &json!(earlier)), "{}", status.text());
}

#[tokio::test(start_paused = true)]
async fn a_run_in_a_phase_that_is_switched_off_says_so_until_it_is_on_again() {
    let mut api = Api::new();
    let id = api.upgrade_in("building", json!({})).await;
    let paths = [format!("/api/runs/{id}"), "/api/upgrade/status".to_owned()];
    let open: Vec<_> = look(&api, &paths).await;
    api.close(&["upgrade-building"]);
    let closed: Vec<_> = look(&api, &paths).await;
    for ((open, open_tag), (closed, closed_tag)) in open.into_iter().zip(closed) {
        assert_eq!(open["why"]["kind"], "condition", "{open}");
        assert_eq!(closed["why"]["kind"], "disabled", "{closed}");
        let reason = closed["why"]["reason"].as_str().unwrap();
        assert!(
            reason.contains("phase building") && reason.contains("somebody switched upgrade-building off"),
            "{reason}"
        );
        assert_ne!(open_tag, closed_tag, "whoever knows the one does not know the other");
    }
    api.close(&["upgrade-patching"]);
    assert_eq!(look(&api, &paths).await[0].0["why"]["kind"], "condition", "it is not there yet");
}

async fn look(api: &Api, paths: &[String]) -> Vec<(Value, String)> {
    let mut seen = Vec::new();
    for path in paths {
        let answer = api.get(path).by(ADA).send().await;
        seen.push((answer.body(), answer.header("etag").to_owned()));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn health_names_the_pipelines_that_are_switched_off() {
    let mut api = Api::new();
    api.close(&["retention-pruning", "upgrade-patching"]);
    let answer = api.get("/api/health").send().await;
    assert_eq!((answer.status, &answer.body()["disabled"]), (200, &json!(["upgrade", "retention"])));
    assert!(!answer.text().contains("somebody"), "why is for those who are known");
}
