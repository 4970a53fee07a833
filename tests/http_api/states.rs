//! The status of a rollout and of the way back, state by state.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::engine::Outcome;
use windlass::model::Verdict;

use crate::api::{ADA, ADMIN, Act, Api};
use crate::platform::{rollout, snapshot};

async fn status(api: &Api) -> Value {
    let answer = api.get("/api/upgrade/status").by(ADA).send().await;
    assert_eq!(answer.status, 200);
    answer.body()
}

#[tokio::test(start_paused = true)]
async fn every_phase_is_a_state_with_its_share_of_progress() {
    for (phase, state, progress) in [
        ("fetching", "fetching", 10),
        ("building", "building", 30),
        ("approving", "awaiting_approval", 75),
        ("patching", "patching", 80),
        ("rolling-out", "rolling_out", 95),
        ("validating", "validating", 96),
        ("confirming", "confirming", 97),
        ("rolling-back", "rolling_back", 1),
    ] {
        let api = Api::new();
        api.upgrade_in(phase, json!({"rollout": rollout()})).await;
        let body = status(&api).await;
        assert_eq!(
            (&body["state"], &body["progress"], &body["kind"]),
            (&json!(state), &json!(progress), &json!("upgrade"))
        );
        assert_eq!((&body["from_version"], &body["strategy"]), (&json!("1.2.2"), &json!("in_place")));
        assert_eq!(
            (&body["why"]["kind"], &body["rollout"]["waiting_for"]),
            (&json!("condition"), &json!("builds are running"))
        );
        assert_eq!(body["rollout"]["revision"], "platform--v1-2-3");
        assert_eq!(body["rollout"]["from_revision"], "platform--old");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_by_how_far_the_upgrade_had_come() {
    let (sent, retry) = (json!({"rollout": rollout()}), json!({"keeps_snapshot_of": "an earlier upgrade"}));
    let mut unsent = sent.clone();
    unsent["rollout"]["change"]["sent_at"] = Value::Null;
    for (phase, remembers, state) in [
        ("fetching", json!({}), "failed_pre"),
        ("building", json!({}), "failed_pre"),
        ("approving", json!({}), "failed_pre"),
        ("approving", retry.clone(), "failed_rollout"),
        ("patching", json!({}), "failed_pre"),
        ("patching", retry.clone(), "failed_rollout"),
        ("rolling-out", unsent, "failed_pre"),
        ("rolling-out", retry, "failed_rollout"),
        ("rolling-out", sent, "failed_rollout"),
        ("validating", json!({}), "failed_rollout"),
        ("confirming", json!({}), "failed_rollout"),
    ] {
        let api = Api::new();
        let id = api.upgrade_failed_in(phase, remembers.clone()).await;
        let body = status(&api).await;
        assert_eq!((&body["state"], &body["error"]["code"]), (&json!(state), &json!("broken")), "{phase}");

        let id_of_other = api.upgrade_in(phase, remembers).await;
        assert_ne!(id, id_of_other);
        api.post(&format!("/api/runs/{id_of_other}/terminate")).by(ADMIN).send().await;
        api.work().await;
        let body = status(&api).await;
        assert_eq!((&body["state"], &body["error"]["code"]), (&json!(state), &json!("cancelled")), "{phase}");
    }
}

/// An upgrade that could not go on and goes back.
async fn going_back(api: &Api) -> String {
    api.upgrade_failed_in("rolling-out", json!({"goes_back": true, "rollout": rollout()})).await
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_went_back_is_rolled_back_with_the_cause_and_never_failed() {
    let api = Api::new();
    going_back(&api).await;
    let body = status(&api).await;
    assert_eq!((&body["state"], &body["error"]["code"]), (&json!("rolling_back"), &json!("broken")));
    api.will([Act::done(Verdict::Failed, json!({"outcome": "rolled_back"}))]);
    api.work().await;
    let body = status(&api).await;
    assert_eq!((&body["state"], &body["progress"]), (&json!("rolled_back"), &json!(100)));
    assert_eq!(body["error"]["code"], "broken");
}

#[tokio::test(start_paused = true)]
async fn a_way_back_that_failed_is_told_as_such_with_both_causes() {
    let api = Api::new();
    going_back(&api).await;
    api.will([Act::fatal("rollback_image_missing", "build it again")]);
    api.work().await;
    let body = status(&api).await;
    assert_eq!((&body["state"], &body["error"]["code"]), (&json!("rollback_failed"), &json!("rollback_image_missing")));
    assert_eq!(body["error"]["detail"]["cause"]["code"], "broken");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_by_call_has_states_of_its_own() {
    for (act, state) in [
        (Act::done(Verdict::Succeeded, json!({})), "rolled_back"),
        (Act::fatal("rollback_image_missing", "build it again"), "rollback_failed"),
    ] {
        let api = Api::new();
        let id = api.upgrade_failed_in("rolling-out", json!({})).await;
        api.remember("snapshot", &snapshot(&id, "in_place", api.world.now() + Duration::from_secs(60))).await;
        let answer = api.post("/api/upgrade/rollback").by(ADMIN).json(json!({"reason": ""})).send().await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let body = status(&api).await;
        assert_eq!((&body["state"], &body["kind"]), (&json!("rolling_back"), &json!("rollback")));
        assert_eq!((&body["target_version"], &body["from_version"]), (&json!("1.2.2"), &json!("1.2.3")));
        assert_eq!(body["components"], json!([]));
        api.will([act]);
        api.work().await;
        assert_eq!(status(&api).await["state"], state);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_left_counts_down_and_is_no_news() {
    let api = Api::new();
    let done =
        Act { answer: Ok(Outcome::Done { verdict: Verdict::Succeeded, output: json!({}) }), ..Act::wait(json!({})) };
    let id = api.upgrade([done]).await;
    api.work().await;
    api.remember("snapshot", &snapshot(&id, "in_place", api.world.now() + Duration::from_secs(600))).await;
    let first = api.get("/api/upgrade/status").by(ADA).send().await;
    let body = first.body();
    assert_eq!((&body["state"], &body["current_version"]), (&json!("succeeded"), &json!("1.2.3")));
    assert_eq!((&body["rollback"]["available"], &body["rollback"]["seconds_left"]), (&json!(true), &json!(600)));
    assert_eq!((&body["rollback"]["job_id"], &body["rollback"]["to_version"]), (&json!(id), &json!("1.2.2")));
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(status(&api).await["rollback"]["seconds_left"], 500);
    let known = || api.get("/api/upgrade/status").by(ADA).header("If-None-Match", first.header("etag")).send();
    assert_eq!(known().await.status, 304);
    tokio::time::sleep(Duration::from_secs(500)).await;
    let over = known().await;
    assert_eq!((over.status, &over.body()["rollback"]["available"]), (200, &json!(false)));
    assert!(over.body()["rollback"]["reason_not_available"].as_str().unwrap().contains("escape-hatch"));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_read_does_not_hide_the_status() {
    let api = Api::new();
    api.upgrade_failed_in("rolling-out", json!({"rollout": rollout()})).await;
    api.remember("snapshot", &json!({"job_id": 7})).await;
    let body = status(&api).await;
    assert_eq!((&body["state"], &body["rollback"]["available"]), (&json!("failed_rollout"), &json!(false)));
    assert!(body["rollback"]["reason_not_available"].as_str().unwrap().contains("az containerapp revision copy"));
}

#[tokio::test(start_paused = true)]
async fn what_a_person_has_to_know_to_agree_or_decide_is_shown() {
    let api = Api::new();
    let until = api.world.now() + Duration::from_secs(120);
    api.upgrade_in("approving", json!({"approval": {"plan_hash": "h", "until": until}})).await;
    let shown = json!({"plan_hash": "h", "until": until, "seconds_left": 120, "approved_by": null});
    assert_eq!(status(&api).await["approval"], shown);

    let api = Api::new();
    let mut rollout = rollout();
    rollout["validation"] = json!({
        "began_at": until, "good": 1, "asked": 4, "last_answer": "503", "verdict": "inconclusive", "decide_until": until,
    });
    api.upgrade_in("validating", json!({"rollout": rollout})).await;
    let shown = json!({"verdict": "inconclusive", "asked": 4, "good": 1, "last_answer": "503", "decide_until": until});
    assert_eq!(status(&api).await["validation"], shown);
}
