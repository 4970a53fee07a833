//! What was, as a dashboard is told of it.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::engine::StartRequest;
use windlass::model::{Scope, Verdict};

use crate::api::{ADA, ADMIN, Act, Api, Who};
use crate::platform::{digest, rollout, snapshot};

async fn history(api: &Api, who: Who, query: &str) -> Value {
    let answer = api.get(&format!("/api/upgrade/history{query}")).by(who).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body()
}

#[tokio::test(start_paused = true)]
async fn upgrades_and_rollbacks_are_told_with_everything_that_is_known_of_them() {
    let api = Api::new();
    assert_eq!(
        history(&api, ADA, "").await,
        json!({"entries": [], "intact": true, "broken": null, "begins_at": null, "stopped_at": null})
    );

    let body = json!({"target_version": "1.2.3", "confirm_downtime": true, "reason": "monthly"});
    let id = api.post("/api/upgrade/start").by(ADMIN).json(body).send().await.body()["job_id"].clone();
    let images = json!({"api": {"image": "elb-api:v1.2.3", "digest": digest('b')}});
    let done = Act {
        state: json!({"commit": "0a1b", "rollout": rollout()}),
        ..Act::done(Verdict::Succeeded, json!({"images": images}))
    };
    api.will([Act::wait(json!({})), Act::enter("rolling-out", json!({})), Act::wait(json!({})), done]);
    for _ in 0..2 {
        api.work().await;
        tokio::time::sleep(Duration::from_secs(61)).await;
    }
    api.work().await;
    api.remember("snapshot", &snapshot(id.as_str().unwrap(), "in_place", api.world.now() + Duration::from_secs(9)))
        .await;
    api.post("/api/upgrade/rollback").by(ADMIN).json(json!({"reason": "it was slow"})).send().await;
    api.will([Act::done(Verdict::Succeeded, json!({}))]);
    api.work().await;

    assert_eq!(history(&api, ADA, "").await["entries"][0].get("events"), None, "only if they are asked for");
    let told = history(&api, ADA, "?events=true").await;
    assert_eq!(
        (&told["intact"], &told["broken"], told["entries"].as_array().unwrap().len()),
        (&json!(true), &Value::Null, 2)
    );
    let (back, upgrade) = (&told["entries"][0], &told["entries"][1]);
    assert_eq!(
        (&back["kind"], &back["state"], &back["reason"]),
        (&json!("rollback"), &json!("rolled_back"), &json!("it was slow"))
    );
    assert_eq!(
        (&upgrade["job_id"], &upgrade["kind"], &upgrade["state"]),
        (&id, &json!("upgrade"), &json!("succeeded"))
    );
    assert_eq!((&upgrade["target_version"], &upgrade["from_version"]), (&json!("1.2.3"), &json!("1.2.2")));
    assert_eq!(
        (&upgrade["started_by"], &upgrade["reason"], &upgrade["commit"]),
        (&json!(ADMIN.0), &json!("monthly"), &json!("0a1b"))
    );
    assert_eq!((&upgrade["images"], &upgrade["revision"]), (&images, &json!("platform--v1-2-3")));
    let phases: Vec<_> = upgrade["phases"].as_array().unwrap().iter().map(|phase| phase["phase"].clone()).collect();
    assert_eq!(phases, ["fetching", "rolling-out"]);
    let seconds: f64 = upgrade["phases"].as_array().unwrap().iter().filter_map(|phase| phase["seconds"].as_f64()).sum();
    assert!(
        (122.0..125.0).contains(&seconds) && (seconds - upgrade["duration_s"].as_f64().unwrap()).abs() < 0.01,
        "{seconds}"
    );
    assert_eq!((&upgrade["intact"], &upgrade["error"]), (&json!(true), &Value::Null));
    assert_eq!(upgrade["events"][0]["kind"], "started");
    assert!(upgrade["receipt"]["executions"].as_u64().unwrap() >= 4 && upgrade["receipt"]["cost_usd"].is_f64());
}

#[tokio::test(start_paused = true)]
async fn the_length_of_the_history_is_asked_for_within_bounds() {
    let api = Api::new();
    for _ in 0..3 {
        api.upgrade_failed_in("building", json!({})).await;
    }
    assert_eq!(history(&api, ADA, "?limit=2").await["entries"].as_array().unwrap().len(), 2);
    for limit in ["0", "201", "x", ""] {
        let refused = api.get(&format!("/api/upgrade/history?limit={limit}")).by(ADA).send().await;
        assert_eq!(refused.code(), (400, "invalid_limit".into()), "{limit}");
    }
    let refused = api.get("/api/upgrade/history?events=yes").by(ADA).send().await;
    assert_eq!(refused.code(), (400, "invalid_flag".into()));
}

#[tokio::test(start_paused = true)]
async fn runs_of_others_that_are_too_many_end_the_look_into_the_past() {
    let api = Api::new();
    let ours = api.upgrade_failed_in("building", json!({})).await;
    for _ in 0..54 {
        let other = StartRequest {
            pipeline: "probe",
            scope: Scope::new("platform"),
            input: json!({}),
            started_by: "somebody".into(),
            idempotency_key: None,
        };
        api.engine.start(other).await.unwrap();
        api.work().await;
    }
    let far = history(&api, ADA, "?limit=1").await;
    assert_eq!((&far["entries"], &far["intact"], &far["stopped_at"]), (&json!([]), &json!(true), &json!(ours)));
    let farther = history(&api, ADA, "?limit=2").await;
    assert_eq!((&farther["entries"][0]["job_id"], &farther["stopped_at"]), (&json!(ours), &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_build_said_last_is_for_admins_alone() {
    let api = Api::new();
    let mut failure = windlass::model::Failure::new("build_failed", "api did not build");
    failure.detail = json!({"component": "api", "last_lines": ["what the build said"]});
    api.upgrade([Act { answer: Err(windlass::engine::PhaseError::Fatal(failure)), ..Act::wait(json!({})) }]).await;
    api.work().await;
    let seen = async |who| history(&api, who, "?events=true").await.to_string().contains("what the build said");
    assert_eq!((seen(ADA).await, seen(ADMIN).await), (false, true));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_changed_afterwards_shows() {
    let api = Api::new();
    let id = api.upgrade_failed_in("building", json!({})).await;
    let tables = std::sync::Arc::clone(&api.world.tables);
    let text = |row: &str| row.contains("\"started\"") && row.contains(&id);
    let mut changed = 0;
    for record in tables.lock().unwrap().rows.values_mut() {
        let row = serde_json::to_string(&record.record).unwrap();
        if text(&row) && row.contains(ADMIN.0) && row.contains("\"kind\"") {
            record.record["detail"]["by"] = json!("nobody");
            changed += 1;
        }
    }
    assert_eq!(changed, 1);
    let told = history(&api, ADA, "").await;
    assert_eq!((&told["intact"], &told["entries"][0]["intact"]), (&json!(false), &json!(false)));
    assert!(told["broken"].is_string());
}
