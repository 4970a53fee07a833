//! Timers: what is invoked, and what is remembered from one start of the host to the next.

use serde_json::{Value, json};

use crate::handler::Request;
use crate::rig::{Rig, Setup, captures, normal, success};

fn timer(binding: &str, schedule: &str, more: Value) -> Value {
    let mut trigger = json!({"type": "timerTrigger", "direction": "in", "name": binding, "schedule": schedule});
    for (name, value) in more.as_object().unwrap() {
        trigger[name] = value.clone();
    }
    json!([trigger])
}

/// The captured functions, with schedules that need less waiting for.
fn captured(minute: &str) -> Setup {
    Setup::new(|_| success())
        .function("minute", timer("timer", minute, json!({})))
        .function("startup", timer("t2", "0 0 0 1 1 *", json!({"runOnStartup": true})))
        .function("tensec", timer("t", "* * * * * *", json!({})))
        .function("span", timer("t3", "00:00:01", json!({})))
}

async fn first_of(rig: &mut Rig, function: &str) -> Request {
    loop {
        let request = rig.next().await;
        if request.target() == format!("/{function}") {
            return request;
        }
    }
}

fn capture(run: &str, function: &str) -> Value {
    captures("timers.jsonl").into_iter().find(|case| case["run"] == run && case["function"] == function).unwrap()
}

fn assert_as_captured(request: &Request, run: &str) {
    let case = capture(run, request.target().trim_start_matches('/'));
    assert_eq!(normal(&request.body), normal(case["body"].as_str().unwrap()));
    if let Some(fields) = case["fields"].as_array() {
        let fields: Vec<String> = fields.iter().map(|field| normal(field.as_str().unwrap())).collect();
        assert_eq!(request.fields.iter().map(|field| normal(field)).collect::<Vec<_>>(), fields);
        assert!(request.chunked);
    }
}

async fn status(rig: &Rig, function: &str) -> Value {
    let path = rig.path(&format!("timers/Host.Functions.{function}/status"));
    loop {
        if let Ok(text) = std::fs::read_to_string(&path) {
            return serde_json::from_str(&text).unwrap();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_fire_as_captured() {
    let mut rig = captured("0 0 0 1 1 *").start().await;
    for function in ["startup", "tensec", "span"] {
        assert_as_captured(&first_of(&mut rig, function).await, "run1");
    }
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_ran_at_startup_remembers_it() {
    let mut setup = captured("0 0 0 1 1 *");
    let root = std::mem::replace(&mut setup.root, tempfile::tempdir().unwrap());
    let again = root.path().to_owned();
    setup.root = root;
    let mut rig = setup.start().await;
    first_of(&mut rig, "startup").await;
    let kept = std::mem::replace(&mut rig.root, tempfile::tempdir().unwrap());
    rig.host.shutdown().await;
    let written = std::fs::read_to_string(again.join("timers/Host.Functions.startup/status")).unwrap();
    let case =
        captures("timers.jsonl").into_iter().find(|case| case["file"] == "Host.Functions.startup/status").unwrap();
    assert_eq!(normal(&written), normal(case["body"].as_str().unwrap()));
    assert!(written.contains("-01-01T00:00:00+00:00\""), "{written}");

    let mut setup = captured("0 0 0 1 1 *");
    setup.root = kept;
    let mut rig = setup.start().await;
    assert_as_captured(&first_of(&mut rig, "startup").await, "run2");
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_missed_an_occurrence_is_past_due() {
    let setup = captured("0 * * * * *");
    let folder = setup.root.path().join("timers/Host.Functions.minute");
    std::fs::create_dir_all(&folder).unwrap();
    let case =
        captures("timers.jsonl").into_iter().find(|case| case["file"] == "Host.Functions.minute/status").unwrap();
    // The captured status, some years ago.
    let old = case["body"].as_str().unwrap().replace("2026-", "2022-");
    std::fs::write(folder.join("status"), &old).unwrap();
    let mut rig = setup.start().await;
    let request = first_of(&mut rig, "minute").await;
    assert_as_captured(&request, "run2");
    assert!(
        request.body.contains(r#""IsPastDue":true"#) && request.body.contains("2022-11-21T01:55:00+00:00"),
        "{}",
        request.body
    );
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_has_changed_since_is_not_past_due() {
    let setup = Setup::new(|_| success()).function("minute", timer("timer", "0 0 0 1 1 *", json!({})));
    let folder = setup.root.path().join("timers/Host.Functions.minute");
    std::fs::create_dir_all(&folder).unwrap();
    let old = r#"{"Last":"2022-11-21T01:54:00+00:00","Next":"2022-11-21T01:55:00+00:00","LastUpdated":"2022-11-21T01:54:00+00:00"}"#;
    std::fs::write(folder.join("status"), old).unwrap();
    let mut rig = setup.start().await;
    let status = loop {
        let status = status(&rig, "minute").await;
        if status["Last"] == "0001-01-01T00:00:00+00:00" {
            break status;
        }
        tokio::task::yield_now().await;
    };
    assert!(status["Next"].as_str().unwrap().ends_with("-01-01T00:00:00+00:00"), "{status}");
    assert!(rig.nothing_came());
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_can_be_fired_by_hand_and_its_schedule_may_be_a_setting() {
    let mut rig = Setup::new(|_| success())
        .function("yearly", timer("timer", "%WHEN%", json!({"useMonitor": false})))
        .set("WHEN", "0 0 1 1 *")
        .start()
        .await;
    let sent = "POST /admin/functions/yearly HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    assert!(rig.exchange(sent, false).await.starts_with("HTTP/1.1 202 "));
    let request = rig.next().await;
    assert_eq!(request.target(), "/yearly");
    assert!(request.body.contains(r#""ScheduleStatus":null,"IsPastDue":false"#), "{}", request.body);
    rig.host.shutdown().await;
}
