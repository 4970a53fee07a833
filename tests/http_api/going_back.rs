//! Going back by call, finding out whether that would do, and the way by hand.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::engine::{PhaseError, StartRequest};
use windlass::model::{Scope, Status, Verdict};

use crate::api::{ADA, ADMIN, Act, Answer, Api};
use crate::platform::{app, digest, down, snapshot};

const HOUR: Duration = Duration::from_secs(3600);

async fn rollback(api: &Api) -> Answer {
    api.post("/api/upgrade/rollback").by(ADMIN).json(json!({"reason": "users complain"})).send().await
}

async fn preflight(api: &Api) -> Value {
    let answer = api.get("/api/upgrade/rollback-preflight").by(ADMIN).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.body()
}

/// An upgrade that has ended well, and what was before it.
async fn upgraded(api: &Api, strategy: &str) -> String {
    let id = api.upgrade([Act::done(Verdict::Succeeded, json!({}))]).await;
    api.work().await;
    api.remember("snapshot", &snapshot(&id, strategy, api.world.now() + HOUR)).await;
    id
}

#[tokio::test(start_paused = true)]
async fn an_ended_upgrade_is_gone_back_from_by_a_run_of_its_own() {
    let api = Api::new();
    let id = upgraded(&api, "in_place").await;
    let answer = rollback(&api).await;
    let body = answer.body();
    assert_eq!((answer.status, answer.header("location")), (202, "/api/upgrade/status"));
    assert_eq!((&body["kind"], &body["state"]), (&json!("rollback"), &json!("rolling_back")));
    assert_eq!((&body["to_version"], &body["goes_back"]), (&json!("1.2.2"), &json!(true)));
    let run = api.run(body["job_id"].as_str().unwrap());
    assert_eq!(run.input, json!({"job_id": id, "reason": "users complain"}));
    assert_eq!((run.pipeline.as_str(), run.started_by.as_str()), ("rollback", ADMIN.0));
    let again = rollback(&api).await;
    assert_eq!(again.code(), (409, "rollback_not_allowed".into()));
    assert!(again.message().contains("rolling_back"), "{}", again.message());
}

#[tokio::test(start_paused = true)]
async fn the_same_key_gives_the_same_rollback_even_after_its_end() {
    let api = Api::new();
    let id = upgraded(&api, "in_place").await;
    let keyed = || {
        let call = api.post("/api/upgrade/rollback").by(ADMIN).header("Idempotency-Key", "k");
        call.json(json!({"reason": "x"})).send()
    };
    let first = keyed().await;
    api.will([Act::done(Verdict::Succeeded, json!({}))]);
    api.work().await;
    let mut over = snapshot(&id, "in_place", api.world.now() + HOUR);
    over["rolled_back_at"] = json!(api.world.now());
    api.remember("snapshot", &over).await;
    let again = keyed().await;
    assert_eq!((again.status, &again.body()["job_id"]), (202, &first.body()["job_id"]));
    let unkeyed = rollback(&api).await;
    assert_eq!(unkeyed.code(), (409, "rollback_not_allowed".into()));
    assert!(unkeyed.message().contains("rolled_back"), "{}", unkeyed.message());
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_goes_on_is_told_to_go_back() {
    for phase in ["rolling-out", "validating", "confirming"] {
        let api = Api::new();
        let id = api.upgrade_in(phase, json!({})).await;
        let answer = rollback(&api).await;
        assert_eq!((answer.status, &answer.body()["job_id"]), (202, &json!(id)), "{phase}");
        assert_eq!(answer.body()["kind"], "upgrade");
        let signal = &api.run(&id).signals["rollback"];
        assert_eq!((&signal["by"], &signal["reason"]), (&json!(ADMIN.0), &json!("users complain")));
        assert_eq!(api.world.runs().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_platform_is_touched_and_on_the_way_back_nobody_goes_back() {
    for (phase, state) in [
        ("fetching", "fetching"),
        ("building", "building"),
        ("approving", "awaiting_approval"),
        ("patching", "patching"),
        ("rolling-back", "rolling_back"),
    ] {
        let api = Api::new();
        let id = api.upgrade_in(phase, json!({})).await;
        api.remember("snapshot", &snapshot(&id, "in_place", api.world.now() + HOUR)).await;
        let refused = rollback(&api).await;
        assert_eq!(refused.code(), (409, "rollback_not_allowed".into()), "{phase}");
        assert!(refused.message().contains(state), "{}", refused.message());
        assert_eq!(preflight(&api).await["available"], false);
    }
    let api = Api::new();
    api.upgrade([]).await;
    assert!(rollback(&api).await.message().contains("queued"));
}

#[tokio::test(start_paused = true)]
async fn without_a_snapshot_and_after_its_time_there_is_nothing_to_go_back_to() {
    let api = Api::new();
    assert_eq!(rollback(&api).await.code(), (409, "nothing_to_roll_back".into()));
    assert_eq!(preflight(&api).await["available"], false);
    upgraded(&api, "in_place").await;
    tokio::time::sleep(HOUR).await;
    let expired = rollback(&api).await;
    assert_eq!(expired.code(), (409, "rollback_expired".into()));
    for other in ["allow_downgrade", "escape-hatch"] {
        assert!(expired.message().contains(other), "{}", expired.message());
    }
    api.remember("snapshot", &json!([])).await;
    assert_eq!(rollback(&api).await.code(), (409, "snapshot_unreadable".into()));
    assert!(preflight(&api).await["reason"].as_str().unwrap().contains("cannot be read"));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_outlives_an_upgrade_that_failed_before_it_touched_the_platform() {
    let api = Api::new();
    let id = upgraded(&api, "in_place").await;
    api.upgrade_failed_in("building", json!({})).await;
    let answer = rollback(&api).await;
    assert_eq!(answer.status, 202);
    assert_eq!(api.run(answer.body()["job_id"].as_str().unwrap()).input["job_id"], id);
}

#[tokio::test(start_paused = true)]
async fn images_that_are_gone_are_named_and_trouble_with_the_registry_is_no_refusal() {
    let api = Api::new();
    upgraded(&api, "in_place").await;
    let well = preflight(&api).await;
    assert_eq!(
        (&well["available"], &well["reason"], &well["seconds_left"]),
        (&json!(true), &Value::Null, &json!(3600))
    );
    assert_eq!((&well["revision"], &well["to_version"]), (&json!("platform--old"), &json!("1.2.2")));
    let image = "platform.azurecr.io/elb-api:v1.2.2";
    assert_eq!(well["images"][0], json!({"container": "api", "image": image, "digest": digest('a'), "exists": true}));

    // A tag that was moved is no loss while the digest is there.
    api.outside.images.lock().unwrap().insert("elb-api:v1.2.2".into(), digest('b'));
    assert_eq!(preflight(&api).await["available"], true);
    api.outside.images.lock().unwrap().remove(&format!("elb-api:{}", digest('a')));
    let lost = preflight(&api).await;
    assert_eq!((&lost["available"], &lost["images"][0]["exists"]), (&json!(false), &json!(false)));
    let refused = rollback(&api).await;
    assert_eq!(refused.code(), (409, "rollback_images_missing".into()));
    assert!(refused.message().contains(image) && refused.message().contains("build_only"), "{}", refused.message());

    for error in [down("azure_unavailable"), PhaseError::fatal("azure_permission_missing", "give the role")] {
        *api.outside.registry_error.lock().unwrap() = Some(error);
        let unclear = preflight(&api).await;
        assert_eq!((&unclear["available"], &unclear["images"][0]["exists"]), (&json!(false), &Value::Null));
        assert!(unclear["images"][0]["error"].is_string());
    }
    assert_eq!(rollback(&api).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_the_app_keeps_no_longer_gets_no_traffic_back() {
    let api = Api::new();
    upgraded(&api, "blue_green").await;
    *api.outside.app.lock().unwrap() = app("1.2.3", "Multiple");
    assert!(preflight(&api).await["reason"].as_str().unwrap().contains("platform--old"));
    assert_eq!(rollback(&api).await.code(), (409, "rollback_images_missing".into()));
}

#[tokio::test(start_paused = true)]
async fn whoever_else_holds_the_platform_is_waited_for() {
    let api = Api::new();
    upgraded(&api, "in_place").await;
    let other = StartRequest {
        pipeline: "probe",
        scope: Scope::new("platform"),
        input: json!({}),
        started_by: "somebody".into(),
        idempotency_key: None,
    };
    api.engine.start(other).await.unwrap();
    let busy = rollback(&api).await;
    assert_eq!((busy.code(), busy.header("retry-after")), ((409, "run_in_flight".into()), "10"));
    let body = json!({"target_version": "1.2.3", "confirm_downtime": true});
    let busy = api.post("/api/upgrade/start").by(ADMIN).json(body).send().await;
    assert_eq!((busy.code(), busy.header("retry-after")), ((409, "run_in_flight".into()), "10"));
}

#[tokio::test(start_paused = true)]
async fn retention_makes_room_for_a_rollback_and_is_named_to_an_upgrade() {
    let api = Api::new();
    upgraded(&api, "in_place").await;
    let tidying = StartRequest {
        pipeline: "retention",
        scope: Scope::new("platform"),
        input: json!({}),
        started_by: "timer".into(),
        idempotency_key: None,
    };
    let id = api.engine.start(tidying).await.unwrap().run.id.to_string();
    let body = json!({"target_version": "1.2.3", "confirm_downtime": true});
    let upgrade = api.post("/api/upgrade/start").by(ADMIN).json(body).send().await;
    assert_eq!((upgrade.code(), upgrade.header("retry-after")), ((409, "run_in_flight".into()), "5"));
    assert!(upgrade.message().contains("Retention") && api.run(&id).cancel.is_none(), "{}", upgrade.message());

    let busy = rollback(&api).await;
    assert_eq!((busy.code(), busy.header("retry-after")), ((409, "run_in_flight".into()), "5"));
    assert!(busy.message().contains("is stopping"), "{}", busy.message());
    api.work().await;
    assert_eq!(api.run(&id).status(), Status::Terminated);
    assert_eq!(rollback(&api).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_tells_a_rollout_once_and_is_answered_the_same_after_its_end() {
    let api = Api::new();
    let id = api.upgrade_in("rolling-out", json!({"goes_back": true})).await;
    api.remember("snapshot", &snapshot(&id, "in_place", api.world.now() + HOUR)).await;
    let keyed = |reason: &str| {
        let call = api.post("/api/upgrade/rollback").by(ADMIN).header("Idempotency-Key", "k");
        call.json(json!({"reason": reason})).send()
    };
    let first = keyed("x").await;
    assert_eq!((first.status, &first.body()["job_id"]), (202, &json!(id)));
    let run = api.run(&id);
    assert_eq!(rollback(&api).await.status, 202);
    assert_eq!(api.run(&id), run, "a second click changes nothing");
    api.will([
        Act { state: json!({"goes_back": true}), ..Act::fatal("rollback_requested", "somebody asked to go back") },
        Act::done(Verdict::Failed, json!({})),
    ]);
    api.work().await;
    assert!(api.run(&id).is_ended());
    let again = keyed("x").await;
    assert_eq!((again.status, &again.body()["job_id"]), (202, &json!(id)), "{}", again.text());
    assert_eq!(api.world.runs().len(), 1, "nothing was started");
    assert_eq!(keyed("y").await.code(), (409, "idempotency_key_reused".into()));
}

#[tokio::test(start_paused = true)]
async fn the_escape_hatch_has_a_command_for_each_container_and_one_for_all() {
    let api = Api::new();
    let path = "/api/upgrade/escape-hatch";
    assert_eq!(api.get(path).by(ADMIN).send().await.code(), (404, "no_snapshot".into()));
    let id = upgraded(&api, "in_place").await;
    let body = api.get(path).by(ADMIN).send().await.body();
    assert_eq!(
        (&body["job_id"], &body["version"], &body["revision"]),
        (&json!(id), &json!("1.2.2"), &json!("platform--old"))
    );
    let place = "--subscription s --resource-group g --name platform";
    let image = format!("platform.azurecr.io/elb-api@{}", digest('a'));
    assert_eq!(body["commands"].as_array().unwrap().len(), 3);
    assert_eq!(body["commands"][0], format!("az containerapp update {place} --container-name api --image {image}"));
    assert_eq!(body["at_once"], format!("az containerapp revision copy {place} --from-revision platform--old"));

    // The time to go back by call is over, and by hand it is not.
    tokio::time::sleep(HOUR).await;
    assert_eq!(api.get(path).by(ADMIN).send().await.status, 200);
    api.remember("snapshot", &json!("nonsense")).await;
    assert_eq!(api.get(path).by(ADMIN).send().await.code(), (409, "snapshot_unreadable".into()));
}

#[tokio::test(start_paused = true)]
async fn the_ways_back_are_for_admins_and_bodies_are_taken_strictly() {
    let api = Api::new();
    for path in ["/api/upgrade/rollback-preflight", "/api/upgrade/escape-hatch"] {
        assert_eq!(api.get(path).by(ADA).send().await.code(), (403, "not_an_admin".into()));
    }
    let post = |who, body| api.post("/api/upgrade/rollback").by(who).json(body).send();
    assert_eq!(post(ADA, json!({"reason": "x"})).await.code(), (403, "not_an_admin".into()));
    for (body, code) in [
        (json!({}), "invalid_field"),
        (json!({"reason": 1}), "invalid_field"),
        (json!({"reason": "x", "force": true}), "invalid_field"),
        (json!({"reason": "x".repeat(501)}), "reason_too_long"),
        (json!({"reason": "x", "idempotency_key": ""}), "invalid_idempotency_key"),
    ] {
        assert_eq!(post(ADMIN, body.clone()).await.code(), (400, code.into()), "{body}");
    }
}
