//! Going on where an upgrade failed: which phase it begins in, and what it keeps.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::model::Verdict;
use windlass::pipelines::upgrade;

use crate::api::{ADA, ADMIN, Act, Answer, Api, LISTED};
use crate::platform::{Outside, digest, rollout, snapshot};

/// With the product's own rule of where upgrades go on.
fn api() -> Api {
    Api::resuming(upgrade::pipeline(&Outside::new().upgrade()).resume)
}

async fn retry(api: &Api, id: &str) -> Answer {
    api.post(&format!("/api/upgrade/jobs/{id}/retry")).by(LISTED).send().await
}

/// The phase and the state that the retry of an upgrade begins with.
async fn resumed(api: &Api, id: &str) -> (String, Value, Answer) {
    let answer = retry(api, id).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let run = api.run(answer.body()["job_id"].as_str().unwrap());
    assert_eq!(run.retry_of.as_ref().map(ToString::to_string).as_deref(), Some(id));
    (run.phase, run.state, answer)
}

fn build(status: &str) -> Value {
    json!({
        "image": "elb-x:v1.2.3", "dockerfile": "Dockerfile", "context": "", "status": status, "run_id": "cf1",
        "digest": digest('b'), "log_bytes": 7,
    })
}

fn built(uploaded_at: impl serde::Serialize) -> Value {
    json!({
        "commit": "0a1b", "progress": 50, "sources": {"": "s"}, "uploaded_at": uploaded_at,
        "builds": {"api": build("succeeded"), "frontend": build("failed"), "terminal": build("cancelled")},
    })
}

#[tokio::test(start_paused = true)]
async fn a_failed_build_is_built_again_and_what_was_built_is_kept() {
    for (age, phase) in [(60, "building"), (4000, "fetching")] {
        let api = api();
        let id = api.upgrade_failed_in("building", built(api.world.now() - Duration::from_secs(age))).await;
        let (begins, state, answer) = resumed(&api, &id).await;
        assert_eq!((begins.as_str(), &state["commit"]), (phase, &json!("0a1b")));
        let of = |name: &str| (state["builds"][name]["status"].clone(), state["builds"][name]["run_id"].clone());
        assert_eq!(of("api"), (json!("succeeded"), json!("cf1")));
        assert_eq!(
            (of("frontend"), of("terminal")),
            ((json!("waiting"), Value::Null), (json!("waiting"), Value::Null))
        );
        assert_eq!((&answer.body()["retry_of"], &answer.body()["state"]), (&json!(id), &json!("queued")));
        assert_eq!(retry(&api, &id).await.body(), answer.body(), "a second click");

        let status = api.get("/api/upgrade/status").by(ADA).send().await.body();
        assert_eq!(status["log_urls"]["api"], format!("/api/upgrade/jobs/{id}/build-log/api"));
        let new = answer.body()["job_id"].as_str().unwrap().to_owned();
        assert_eq!(status["log_urls"]["frontend"], format!("/api/upgrade/jobs/{new}/build-log/frontend"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_fetched_again() {
    let api = api();
    let id = api.upgrade_failed_in("fetching", json!({})).await;
    assert_eq!(resumed(&api, &id).await.0, "fetching");
}

#[tokio::test(start_paused = true)]
async fn who_had_to_agree_is_asked_again() {
    for phase in ["approving", "patching"] {
        let api = api();
        let approval = json!({"plan_hash": "h", "until": api.world.now(), "approved_by": "x"});
        let id =
            api.upgrade_failed_in(phase, json!({"approval": approval, "builds": {"api": build("succeeded")}})).await;
        let (begins, state, _) = resumed(&api, &id).await;
        assert_eq!((begins.as_str(), &state["approval"]), ("approving", &Value::Null));
        assert_eq!(state["starters"], json!([ADMIN.0]), "who may not agree");
        assert_eq!(state["builds"]["api"]["digest"], digest('b'));
    }
    let api = api();
    let id = api.upgrade_failed_in("patching", json!({})).await;
    let (begins, state, _) = resumed(&api, &id).await;
    assert_eq!((begins.as_str(), &state["replans"]), ("patching", &json!(false)));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_was_not_undone_keeps_the_snapshot_from_before_it() {
    for phase in ["rolling-out", "validating", "confirming"] {
        let api = api();
        let id = api.upgrade_failed_in(phase, json!({"rollout": rollout()})).await;
        let (begins, state, _) = resumed(&api, &id).await;
        assert_eq!((begins.as_str(), &state["rollout"]), ("patching", &Value::Null));
        assert_eq!((&state["keeps_snapshot_of"], &state["replans"]), (&json!(id), &json!(true)));
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_way_back_it_begins_with_a_snapshot_of_its_own() {
    let api = api();
    let id = api.upgrade_failed_in("rolling-out", json!({"goes_back": true, "rollout": rollout()})).await;
    api.will([Act { state: json!({"rollout": rollout()}), ..Act::done(Verdict::Failed, json!({})) }]);
    api.work().await;
    let (begins, state, _) = resumed(&api, &id).await;
    assert_eq!((begins.as_str(), &state["rollout"], &state["rollback"]), ("patching", &Value::Null, &Value::Null));
    assert_eq!((&state["keeps_snapshot_of"], &state["replans"]), (&Value::Null, &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_gone_on_with_is_refused_with_directions() {
    let api = api();
    assert_eq!(retry(&api, "x").await.code(), (404, "unknown_job".into()));
    let id = api.upgrade([Act::done(Verdict::Succeeded, json!({}))]).await;
    let other = api.post(&format!("/api/upgrade/jobs/{id}/retry")).by(ADA).send().await;
    assert_eq!(other.code(), (403, "not_an_admin".into()));
    assert_eq!(retry(&api, &id).await.code(), (409, "run_not_ended".into()));
    api.work().await;
    assert_eq!(retry(&api, &id).await.code(), (409, "nothing_to_retry".into()));

    let id = api.upgrade_failed_in("rolling-out", json!({"goes_back": true, "rollout": rollout()})).await;
    api.will([Act::fatal("rollback_image_missing", "build it again")]);
    api.work().await;
    let refused = retry(&api, &id).await;
    assert_eq!(refused.code(), (409, "not_resumable".into()));
    assert!(refused.message().contains("POST /api/upgrade/rollback"), "{}", refused.message());
}

#[tokio::test(start_paused = true)]
async fn a_later_upgrade_and_a_later_rollback_close_the_way() {
    let api = api();
    let first = api.upgrade_failed_in("building", json!({})).await;
    let second = api.upgrade_failed_in("rolling-out", json!({"rollout": rollout()})).await;
    let refused = retry(&api, &first).await;
    assert_eq!(refused.code(), (409, "superseded".into()));
    assert!(refused.message().contains(&second), "{}", refused.message());

    api.remember("snapshot", &snapshot(&second, "in_place", api.world.now() + Duration::from_secs(60))).await;
    let back = api.post("/api/upgrade/rollback").by(ADMIN).json(json!({"reason": "x"})).send().await;
    api.will([Act::done(Verdict::Succeeded, json!({}))]);
    api.work().await;
    let refused = retry(&api, &second).await;
    assert_eq!(refused.code(), (409, "superseded".into()));
    assert!(refused.message().contains(back.body()["job_id"].as_str().unwrap()), "{}", refused.message());
    let rewound = api.post(&format!("/api/runs/{second}/rewind")).by(ADMIN).send().await;
    assert_eq!(rewound.code(), (409, "superseded".into()));
}
