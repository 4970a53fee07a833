//! Going on where a run failed, and what a run cost.

use serde_json::{Value, json};

use crate::api::{ADA, ADMIN, Act, Answer, Api, LISTED};

async fn rewind(api: &Api, id: &str) -> Answer {
    api.post(&format!("/api/runs/{id}/rewind")).by(ADMIN).send().await
}

async fn view(api: &Api, id: &str) -> Value {
    api.get(&format!("/api/runs/{id}")).by(ADA).send().await.body()
}

/// A probe that failed in `build`.
async fn failed(api: &Api) -> String {
    let id = api.probe(json!({"phase": "build", "action": "fail"})).await;
    api.work().await;
    assert_eq!(view(api, &id).await["runtimeStatus"], "Failed");
    id
}

#[tokio::test(start_paused = true)]
async fn an_admin_rewinds_a_failed_run_and_is_led_to_the_one_that_goes_on() {
    let api = Api::new();
    let id = failed(&api).await;
    let path = format!("/api/runs/{id}/rewind");
    assert_eq!(api.post(&path).by(ADA).send().await.code(), (403, "not_an_admin".into()));
    assert_eq!(api.world.runs().len(), 1);

    let answer = rewind(&api, &id).await;
    let body = answer.body();
    let other = body["instanceId"].as_str().unwrap().to_owned();
    assert_ne!(other, id);
    assert_eq!((answer.status, answer.header("location")), (202, format!("/api/runs/{other}").as_str()));
    assert_eq!(body, json!({"instanceId": other, "runtimeStatus": "Pending", "retryOf": id}));
    assert_eq!(rewind(&api, &id).await.body(), body, "a second click");

    let pending = view(&api, &other).await;
    assert_eq!((&pending["phase"], &pending["retryOf"]), (&json!("build"), &json!(id)));
    assert_eq!(pending["startedBy"], ADMIN.0);
    assert_eq!(view(&api, &id).await["retryOf"], Value::Null);
    api.work().await;
    let ended = view(&api, &other).await;
    assert_eq!((&ended["verdict"], &ended["historyIntact"]), (&json!("succeeded"), &json!(true)));
    assert_eq!(ended["history"][0]["detail"]["retry_of"], id);
}

#[tokio::test(start_paused = true)]
async fn a_rewind_takes_a_key_as_a_start_does() {
    let api = Api::new();
    let id = failed(&api).await;
    let keyed =
        |who, key: &str| api.post(&format!("/api/runs/{id}/rewind")).by(who).header("Idempotency-Key", key).send();
    assert_eq!(keyed(ADMIN, "a b").await.code(), (400, "invalid_idempotency_key".into()));
    let first = keyed(ADMIN, "k").await;
    assert_eq!((first.status, keyed(ADMIN, "k").await.body()), (202, first.body()));
    assert_eq!(keyed(LISTED, "k").await.code(), (409, "idempotency_key_reused".into()));
    let another = keyed(ADMIN, "another").await;
    assert_eq!(another.code(), (409, "superseded".into()));
    assert!(another.message().contains(first.body()["instanceId"].as_str().unwrap()), "{}", another.message());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_rewound_is_refused_with_directions() {
    let api = Api::new();
    for id in ["0123456789-01234567890123456789", "x"] {
        assert_eq!(rewind(&api, id).await.code(), (404, "unknown_run".into()));
    }
    let id = api.probe(json!({"phase": "build", "action": "block"})).await;
    api.work().await;
    let refused = rewind(&api, &id).await;
    assert_eq!(refused.code(), (409, "run_not_ended".into()));
    assert!(refused.message().contains("Running, in phase build"), "{}", refused.message());
    api.post(&format!("/api/probe/{id}/release")).by(ADA).send().await;
    api.work().await;
    assert_eq!(rewind(&api, &id).await.code(), (409, "nothing_to_retry".into()));

    let upgrade = api.upgrade([Act::fatal("clone_failed", "no such tag")]).await;
    api.work().await;
    let refused = rewind(&api, &upgrade).await;
    assert_eq!(refused.code(), (409, "not_resumable".into()));
    assert!(refused.message().contains("start another one"), "{}", refused.message());
}

#[tokio::test(start_paused = true)]
async fn a_rewind_that_no_queue_takes_is_told_as_such_and_may_be_repeated() {
    let api = Api::new();
    let id = failed(&api).await;
    api.fail("send", 3);
    assert_eq!(rewind(&api, &id).await.code(), (503, "not_queued".into()));
    assert_eq!(rewind(&api, &id).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_run_shows_what_it_has_cost() {
    let api = Api::new();
    let id = api.probe(json!(null)).await;
    let begun = view(&api, &id).await["receipt"].clone();
    assert_eq!((&begun["executions"], &begun["queueOperations"]), (&json!(0), &json!(1)));
    api.work().await;
    let run = api.run(&id);
    let receipt = view(&api, &id).await["receipt"].clone();
    assert_eq!(
        receipt,
        json!({
            "executions": 4,
            "tableOperations": run.receipt.table_operations,
            "queueOperations": 12,
            "blobOperations": 4,
            "logBytes": run.logs["probe"].total(),
            "estimatedCostUsd": run.receipt.cost_usd(),
        })
    );
}
