//! What people tell an upgrade that waits for them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{ADA, ADMIN, Answer, Api, LISTED, Who};
use crate::platform::rollout;

async fn tell(api: &Api, who: Who, id: &str, what: &str, body: Value) -> Answer {
    api.post(&format!("/api/upgrade/jobs/{id}/{what}")).by(who).json(body).send().await
}

async fn approve(api: &Api, who: Who, id: &str, hash: &str) -> Answer {
    tell(api, who, id, "approve", json!({"plan_hash": hash})).await
}

async fn waiting(api: &Api) -> String {
    let until = api.world.now() + Duration::from_secs(600);
    api.upgrade_in("approving", json!({"approval": {"plan_hash": "h", "until": until}})).await
}

#[tokio::test(start_paused = true)]
async fn another_admin_approves_the_plan_that_waits() {
    let api = Api::new();
    let id = waiting(&api).await;
    assert_eq!(approve(&api, ADA, &id, "h").await.code(), (403, "not_an_admin".into()));
    assert_eq!(approve(&api, ADMIN, &id, "h").await.code(), (403, "approval_by_starter".into()));
    assert_eq!(approve(&api, LISTED, &id, "other").await.code(), (409, "plan_outdated".into()));
    assert!(api.run(&id).signals.is_empty());

    let answer = approve(&api, LISTED, &id, "h").await;
    assert_eq!((answer.status, answer.header("location")), (202, "/api/upgrade/status"));
    assert_eq!((&answer.body()["job_id"], &answer.body()["state"]), (&json!(id), &json!("awaiting_approval")));
    let run = api.run(&id);
    let signal = &run.signals["approve"];
    assert_eq!((&signal["by"], &signal["plan_hash"]), (&json!(LISTED.0), &json!("h")));
    assert_eq!(approve(&api, LISTED, &id, "h").await.status, 202);
    assert_eq!(api.run(&id), run, "a second click changes nothing");
}

#[tokio::test(start_paused = true)]
async fn who_started_what_a_retry_goes_on_for_does_not_approve_it() {
    let api = Api::new();
    let until = api.world.now() + Duration::from_secs(600);
    let state = json!({"approval": {"plan_hash": "h", "until": until}, "starters": [LISTED.0]});
    let id = api.upgrade_in("approving", state).await;
    assert_eq!(approve(&api, LISTED, &id, "h").await.code(), (403, "approval_by_starter".into()));
    assert!(api.run(&id).signals.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_nobody_waits_for_is_refused_by_its_state() {
    let api = Api::new();
    for id in ["0123456789-01234567890123456789", "x"] {
        assert_eq!(approve(&api, LISTED, id, "h").await.code(), (404, "unknown_job".into()));
    }
    let probe = api.probe(Value::Null).await;
    assert_eq!(approve(&api, LISTED, &probe, "h").await.code(), (404, "unknown_job".into()));
    api.work().await;
    let id = api.upgrade_in("building", json!({"approval": {"plan_hash": "h", "until": api.world.now()}})).await;
    let refused = approve(&api, LISTED, &id, "h").await;
    assert_eq!(refused.code(), (409, "not_awaiting_approval".into()));
    assert!(refused.message().contains("building"), "{}", refused.message());
    api.post(&format!("/api/runs/{id}/terminate")).by(ADMIN).send().await;
    api.work().await;
    assert_eq!(approve(&api, LISTED, &id, "h").await.code(), (410, "run_ended".into()));
    for body in [json!({}), json!({"plan_hash": "h", "by": "me"})] {
        assert_eq!(tell(&api, LISTED, &id, "approve", body).await.code(), (400, "invalid_field".into()));
    }
}

async fn validating(api: &Api, verdict: Value) -> String {
    let mut rollout = rollout();
    rollout["validation"] = json!({"began_at": api.world.now(), "verdict": verdict});
    api.upgrade_in("validating", json!({"rollout": rollout})).await
}

#[tokio::test(start_paused = true)]
async fn an_inconclusive_validation_takes_a_persons_verdict() {
    for (word, go) in [("successful", true), ("failed", false)] {
        let api = Api::new();
        let id = validating(&api, json!("inconclusive")).await;
        let body = json!({"verdict": word, "reason": "I looked at it"});
        assert_eq!(tell(&api, ADA, &id, "verdict", body.clone()).await.code(), (403, "not_an_admin".into()));
        let answer = tell(&api, ADMIN, &id, "verdict", body).await;
        assert_eq!((answer.status, &answer.body()["state"]), (202, &json!("validating")));
        let signal = &api.run(&id).signals["verdict"];
        assert_eq!(
            (&signal["go"], &signal["by"], &signal["reason"]),
            (&json!(go), &json!(ADMIN.0), &json!("I looked at it"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_nobody_asked_for_is_refused_by_its_state() {
    let decided = json!({"verdict": "failed", "reason": "x"});
    for verdict in [Value::Null, json!("successful")] {
        let api = Api::new();
        let id = validating(&api, verdict).await;
        let refused = tell(&api, ADMIN, &id, "verdict", decided.clone()).await;
        assert_eq!(refused.code(), (409, "no_verdict_wanted".into()));
        assert!(refused.message().contains("validating"), "{}", refused.message());
    }
    let api = Api::new();
    let id = api.upgrade_failed_in("validating", json!({})).await;
    assert_eq!(tell(&api, ADMIN, &id, "verdict", decided.clone()).await.code(), (410, "run_ended".into()));
    assert_eq!(tell(&api, ADMIN, "x", "verdict", decided).await.code(), (404, "unknown_job".into()));
    for body in [
        json!({"verdict": "inconclusive", "reason": "x"}),
        json!({"verdict": "failed"}),
        json!({"verdict": true, "reason": "x"}),
    ] {
        assert_eq!(tell(&api, ADMIN, &id, "verdict", body).await.code(), (400, "invalid_field".into()));
    }
}
