//! The management API over all runs.

use serde_json::{Value, json};
use windlass::model::{Event, GENESIS};

use crate::api::{ADA, ADMIN, Act, Answer, Api, LISTED};

async fn get(api: &Api, id: &str) -> Answer {
    api.get(&format!("/api/runs/{id}")).by(ADA).send().await
}

fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.body();
    body.as_array().unwrap().iter().map(|run| run["instanceId"].as_str().unwrap().to_owned()).collect()
}

async fn list(api: &Api, query: &str, token: &str) -> (Vec<String>, String) {
    let answer = api.get(&format!("/api/runs?{query}")).by(ADA).header("x-ms-continuation-token", token).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    (ids(&answer), answer.header("x-ms-continuation-token").to_owned())
}

/// All pages of a list, and how many there were.
async fn pages(api: &Api, query: &str) -> (Vec<String>, usize) {
    let (mut all, mut token, mut count) = (Vec::new(), String::new(), 0);
    loop {
        let (page, next) = list(api, query, &token).await;
        all.extend(page);
        count += 1;
        if next.is_empty() {
            return (all, count);
        }
        token = next;
    }
}

async fn tick() {
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_is_202_with_directions_until_it_has_ended() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "block"})).await;
    let pending = get(&api, &id).await;
    assert_eq!((pending.status, pending.header("retry-after")), (202, "2"));
    assert_eq!(pending.header("location"), format!("/api/runs/{id}"));
    assert_eq!(
        (&pending.body()["runtimeStatus"], &pending.body()["why"]["kind"]),
        (&json!("Pending"), &json!("first_delivery"))
    );

    api.work().await;
    let blocked = get(&api, &id).await;
    let body = blocked.body();
    assert_eq!((blocked.status, &body["runtimeStatus"], &body["phase"]), (202, &json!("Running"), &json!("build")));
    assert_eq!(body["why"]["kind"], "condition");
    assert!(body["why"]["reason"].as_str().unwrap().contains("release"));
    assert_eq!(body["why"]["until"], json!(api.run(&id).next_wake_at()));
    assert_eq!(body["customStatus"]["progress"], 25);

    let known = api.get(&format!("/api/runs/{id}")).by(ADA).header("If-None-Match", blocked.header("etag"));
    assert_eq!(known.send().await.status, 304);

    api.post(&format!("/api/probe/{id}/release")).by(ADA).send().await;
    api.work().await;
    let ended = get(&api, &id).await;
    let body = ended.body();
    assert_eq!((ended.status, ended.header("location"), &body["why"]), (200, "", &Value::Null));
    assert_eq!((&body["instanceId"], &body["name"]), (&json!(id), &json!("probe")));
    assert_eq!((&body["runtimeStatus"], &body["verdict"]), (&json!("Completed"), &json!("succeeded")));
    assert_eq!((&body["scope"], &body["startedBy"]), (&json!(api.run(&id).scope), &json!(ADA.0)));
    assert_eq!(body["createdTime"], json!(api.run(&id).created_at));
    assert_eq!(body["lastUpdatedTime"], json!(api.run(&id).updated_at));
    assert!(body["logs"]["probe"].as_u64().unwrap() > 0);
}

#[tokio::test(start_paused = true)]
async fn the_history_is_whole_and_can_be_checked_by_its_reader() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "flake"})).await;
    api.work().await;
    let body = get(&api, &id).await.body();
    assert_eq!(body["historyIntact"], true);
    let history: Vec<Event> = serde_json::from_value(body["history"].clone()).unwrap();
    assert_eq!(history.len() as u64, api.run(&id).events);
    let mut last = api.run(&id).first_previous;
    for event in history {
        assert!(event.follows(&last));
        last = event.hash;
    }
    let retrying = &body["why"];
    assert_eq!(retrying["kind"], "retry");
    assert!(retrying["reason"].as_str().unwrap().contains("drill_flake"), "{retrying}");

    let brief = api.get(&format!("/api/runs/{id}?showHistory=false")).by(ADA).send().await.body();
    assert_eq!((brief.get("history"), brief.get("historyIntact")), (None, None));
    let odd = api.get(&format!("/api/runs/{id}?showHistory=maybe")).by(ADA).send().await;
    assert_eq!(odd.code(), (400, "invalid_flag".into()));
}

#[tokio::test(start_paused = true)]
async fn a_history_that_was_tampered_with_is_told() {
    for tamper in [
        |rows: &mut windlass::engine::ports::Record| drop(rows.insert("phase".into(), "deploy".into())),
        |rows: &mut windlass::engine::ports::Record| drop(rows.insert("previous".into(), GENESIS.into())),
    ] {
        let api = Api::new();
        let id = api.probe(json!(null)).await;
        api.work().await;
        {
            let mut tables = api.world.tables.lock().unwrap();
            let (_, row) = tables.rows.iter_mut().find(|((_, key), _)| key.ends_with(":00000002")).unwrap();
            tamper(&mut row.record);
        }
        assert_eq!(get(&api, &id).await.body()["historyIntact"], false);
    }
    let api = Api::new();
    let id = api.probe(json!(null)).await;
    api.work().await;
    api.world.tables.lock().unwrap().rows.retain(|(_, key), _| !key.ends_with(":00000005"));
    assert_eq!(get(&api, &id).await.body()["historyIntact"], false);
}

#[tokio::test(start_paused = true)]
async fn only_admins_see_the_input() {
    let api = Api::new();
    let id = api.upgrade([]).await;
    let seen = async |who, query: &str| {
        api.get(&format!("/api/runs/{id}{query}")).by(who).send().await.body()["input"].clone()
    };
    let input = json!({"target_version": "1.2.3"});
    assert_eq!(
        (seen(ADMIN, "").await, seen(LISTED, "").await, seen(ADA, "").await),
        (input.clone(), input, Value::Null)
    );
    assert_eq!(seen(ADMIN, "?showInput=false").await, Value::Null);
    let tag = async |who| api.get(&format!("/api/runs/{id}")).by(who).send().await.header("etag").to_owned();
    assert_ne!(tag(ADMIN).await, tag(ADA).await);
    assert_eq!(api.get("/api/runs").by(ADA).send().await.body()[0]["input"], Value::Null);
    assert_eq!(api.get("/api/runs").by(ADMIN).send().await.body()[0]["input"]["target_version"], "1.2.3");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_run_is_unknown() {
    let api = Api::new();
    for id in ["0123456789-01234567890123456789", "x", "..%2F..", "%FF"] {
        assert_eq!(get(&api, id).await.code(), (404, "unknown_run".into()), "{id}");
        let terminated = api.post(&format!("/api/runs/{id}/terminate")).by(ADMIN).send().await;
        assert_eq!(terminated.code(), (404, "unknown_run".into()), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_admin_terminates_a_run_and_an_ended_one_cannot_be() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "block"})).await;
    api.work().await;
    let terminate = |who| api.post(&format!("/api/runs/{id}/terminate?reason=enough%20of%20it")).by(who).send();
    assert_eq!(terminate(ADA).await.code(), (403, "not_an_admin".into()));
    assert!(api.run(&id).cancel.is_none());

    let answer = terminate(ADMIN).await;
    assert_eq!((answer.status, answer.header("location")), (202, format!("/api/runs/{id}").as_str()));
    assert_eq!(answer.body(), json!({"instanceId": id, "runtimeStatus": "Running"}));
    assert_eq!(terminate(LISTED).await.status, 202);
    assert_eq!(get(&api, &id).await.body()["why"]["kind"], "cancellation");

    api.work().await;
    let body = get(&api, &id).await.body();
    assert_eq!(body["runtimeStatus"], "Terminated");
    assert_eq!((&body["cancel"]["by"], &body["cancel"]["reason"]), (&json!(ADMIN.0), &json!("enough of it")));
    assert_eq!(terminate(ADMIN).await.code(), (410, "run_ended".into()));

    let long = format!("/api/runs/{id}/terminate?reason={}", "x".repeat(501));
    assert_eq!(api.post(&long).by(ADMIN).send().await.code(), (400, "reason_too_long".into()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_falls_back_cannot_be_terminated() {
    let api = Api::new();
    let id = api.probe(json!({"phase": "build", "action": "block"})).await;
    api.work().await;
    let fallback = json!({"from": "build", "cause": {"code": "x", "message": "y"}, "at": api.run(&id).updated_at});
    {
        let mut tables = api.world.tables.lock().unwrap();
        let row = tables.rows.iter_mut().find(|((_, key), _)| key.starts_with("run:")).unwrap().1;
        row.record.insert("fallback".into(), fallback);
    }
    let refused = api.post(&format!("/api/runs/{id}/terminate")).by(ADMIN).send().await;
    assert_eq!(refused.code(), (409, "run_falling_back".into()));
    assert!(refused.message().contains("Wait for its end"), "{}", refused.message());
    assert!(api.run(&id).cancel.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_list_has_the_newest_run_of_any_pipeline_first() {
    let api = Api::new();
    let mut all = Vec::new();
    for round in 0..3 {
        all.insert(0, api.probe(json!(null)).await);
        tick().await;
        if round == 1 {
            all.insert(0, api.upgrade([Act::fatal("x", "y")]).await);
            tick().await;
        }
    }
    assert_eq!(list(&api, "", "").await, (all.clone(), String::new()));
    let only_upgrades = list(&api, "pipeline=upgrade", "").await;
    assert_eq!(only_upgrades, (vec![all[1].clone()], String::new()));
    for top in 1..=5 {
        let (found, _) = pages(&api, &format!("top={top}")).await;
        assert_eq!(found, all, "top={top}");
    }
    let (page, token) = list(&api, "top=3", "").await;
    assert_eq!((page, token.is_empty()), (all[..3].to_vec(), false));
    assert_eq!(list(&api, "top=3", &token).await.0, all[3..]);
}

#[tokio::test(start_paused = true)]
async fn the_list_is_filtered_by_status_and_time() {
    let api = Api::new();
    let first = api.probe(json!(null)).await;
    api.work().await;
    tick().await;
    let second = api.probe(json!({"phase": "build", "action": "fail"})).await;
    api.work().await;
    tick().await;
    let third = api.probe(json!({"phase": "build", "action": "block"})).await;
    api.work().await;
    tick().await;
    let fourth = api.probe(json!(null)).await;

    for (query, expected) in [
        ("runtimeStatus=Completed", vec![&first]),
        ("runtimeStatus=failed", vec![&second]),
        ("runtimeStatus=Running,Pending", vec![&fourth, &third]),
        ("runtimeStatus=Running&runtimeStatus=Pending", vec![&fourth, &third]),
        ("runtimeStatus=Terminated", vec![]),
        ("runtimeStatus=Completed&top=1", vec![&first]),
    ] {
        assert_eq!(pages(&api, query).await.0.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let at = |id: &str| api.run(id).created_at.to_string();
    let between = format!("createdTimeFrom={}&createdTimeTo={}", at(&second), at(&third));
    assert_eq!(pages(&api, &between).await.0, [third.clone(), second.clone()]);
    assert_eq!(pages(&api, &format!("createdTimeFrom={}&top=1", at(&fourth))).await.0, [fourth]);
}

#[tokio::test(start_paused = true)]
async fn a_search_for_what_is_rare_ends_a_page_before_it_has_read_everything() {
    let api = Api::new();
    let rare = api.probe(json!({"phase": "prepare", "action": "fail"})).await;
    api.work().await;
    for _ in 0..450 {
        tick().await;
        api.probe(json!(null)).await;
    }
    assert_eq!(pages(&api, "runtimeStatus=Failed").await, (vec![rare], 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_had_is_refused_with_directions() {
    let api = Api::new();
    for (query, code, direction) in [
        ("pipeline=other", "unknown_pipeline", "probe, upgrade"),
        ("runtimeStatus=Done", "invalid_runtime_status", "Terminated"),
        ("runtimeStatus=", "invalid_runtime_status", "Pending"),
        ("createdTimeFrom=yesterday", "invalid_time", "createdTimeFrom"),
        ("createdTimeTo=2026", "invalid_time", "createdTimeTo"),
        ("top=0", "invalid_top", "100"),
        ("top=101", "invalid_top", "100"),
    ] {
        let answer = api.get(&format!("/api/runs?{query}")).by(ADA).send().await;
        assert_eq!(answer.code(), (400, code.into()), "{query}");
        assert!(answer.message().contains(direction), "{}", answer.message());
    }
    for token in ["x", "bm90IGEgcnVu", "list:a:b", "!!"] {
        let answer = api.get("/api/runs").by(ADA).header("x-ms-continuation-token", token).send().await;
        assert_eq!(answer.code(), (400, "invalid_continuation_token".into()), "{token}");
    }
}
