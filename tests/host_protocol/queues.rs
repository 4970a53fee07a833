//! Queue functions: what is invoked for which message, what becomes of which answer, and how soon.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windlass::dev::host::Level;

use crate::handler::{Request, Step};
use crate::rig::{Rig, Setup, answer, captures, http, json_answer, normal, queue, success};
use crate::store::{Seen, Store};

const SOON: Duration = Duration::ZERO;

fn setup(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Setup {
    Setup::new(script).function("jobs", queue("jobs"))
}

async fn settled(rig: &Rig, queue: &str) {
    rig.store.wait_until(&format!("{queue} is empty"), |store| store.texts(queue).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_message_is_invoked_as_captured() {
    for encoding in ["base64", "none"] {
        let mut rig =
            setup(|_| success()).queues(json!({"messageEncoding": encoding, "maxDequeueCount": 2})).start().await;
        let mut poisoned = Vec::new();
        for case in captures("queue.jsonl").into_iter().filter(|case| case["encoding"] == encoding) {
            let (name, stored) = (case["name"].as_str().unwrap(), case["stored"].as_str().unwrap());
            rig.store.enqueue("jobs", stored, SOON);
            settled(&rig, "jobs").await;
            let Some(body) = case["body"].as_str() else {
                assert!(rig.nothing_came(), "{name}");
                poisoned.push(stored.to_owned());
                assert_eq!(rig.store.texts("jobs-poison"), poisoned, "{name}");
                rig.said(&["'jobs'", "messageEncoding", "none"]).await;
                continue;
            };
            let request = rig.next().await;
            let fields: Vec<String> =
                case["fields"].as_array().unwrap().iter().map(|f| normal(f.as_str().unwrap())).collect();
            assert_eq!(request.line, "POST /jobs HTTP/1.1", "{name}");
            assert_eq!(request.fields.iter().map(|field| normal(field)).collect::<Vec<_>>(), fields, "{name}");
            assert!(request.chunked, "{name}");
            let got = String::from_utf8(crate::handler::bytes(&request.body)).unwrap();
            assert_eq!(normal(&got), normal(body), "{name}");
        }
        rig.host.shutdown().await;
    }
}

/// The captured handler's answers, by the name that the capture gives them.
fn captured_answer(mode: &str) -> Vec<Step> {
    let status = |status: &str| answer(&format!("{status}\r\nContent-Type: application/json"), r#"{"Outputs":{}}"#);
    let out = |value: &str| json_answer(&format!(r#"{{"Outputs":{{"out":{value}}},"Logs":[],"ReturnValue":null}}"#));
    match mode {
        "ok" => success(),
        "logs" => json_answer(r#"{"Outputs":{},"Logs":["line one","line two"],"ReturnValue":null}"#),
        "braces" => json_answer("{}"),
        "text" => answer("200 OK\r\nContent-Type: text/plain", "fine"),
        "jsontext" => answer("200 OK\r\nContent-Type: text/plain", "{}"),
        "noct" => answer("200 OK", "{}"),
        "badjson" => json_answer("{\"Outputs\":"),
        "jsonarray" => json_answer("[]"),
        "s201" => status("201 Created"),
        "s202" => status("202 Accepted"),
        "s204" => vec![Step::Write("HTTP/1.1 204 No Content\r\n\r\n".to_owned())],
        "empty" => json_answer(""),
        "null" => json_answer("null"),
        "s302" => status("302 Found\r\nLocation: /hello"),
        "s400" => status("400 Bad Request"),
        "s404" => status("404 Not Found"),
        "s500" => status("500 Internal Server Error"),
        "s503" => status("503 Service Unavailable"),
        "reset" => vec![Step::Reset],
        "unknown" => json_answer(r#"{"Outputs":{"nosuch":"x"},"Logs":[],"ReturnValue":null}"#),
        "ostring" => out(r#""a string""#),
        "oobject" => out(r#"{"a":1,"b":"x","n":null}"#),
        "oarrs" => out(r#"["one","two","three"]"#),
        "oarro" => out(r#"[{"a":1},{"a":2}]"#),
        "oarrjson" => out(r#"["{\"a\":1}","{\"a\":2}"]"#),
        "oarrmix" => out(r#"["s",{"a":2},3,null]"#),
        "onum" => out("42"),
        "onull" => out("null"),
        "oempty" => out("[]"),
        "oemptystr" => out(r#""""#),
        "obig" => out(&format!("\"{}\"", "x".repeat(50_000))),
        "retval" => json_answer(r#"{"Outputs":{},"Logs":[],"ReturnValue":"returned"}"#),
        "lower" => json_answer(r#"{"outputs":{"out":"lower case"},"logs":[],"returnValue":null}"#),
        other => panic!("no answer is captured under the name {other}"),
    }
}

/// The text of the message.
fn mode(request: &Request) -> String {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    serde_json::from_str(body["Data"]["msg"].as_str().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_captured_attempts_or_fails_loudly_where_the_real_host_would_hang_or_keep_silent() {
    type Attempts = HashMap<String, Vec<(String, String)>>;
    let attempts: Arc<Mutex<Attempts>> = Arc::default();
    let seen = Arc::clone(&attempts);
    let rig = setup(move |request| {
        let mode = mode(request);
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let count = body["Metadata"]["DequeueCount"].as_str().unwrap().to_owned();
        let id = request.field("X-Azure-Functions-InvocationId").unwrap().to_owned();
        seen.lock().unwrap().entry(mode.clone()).or_default().push((count, id));
        captured_answer(&mode)
    })
    .queues(json!({"messageEncoding": "none", "maxDequeueCount": 3}))
    .start()
    .await;
    let cases = captures("answers.jsonl");
    for case in &cases {
        rig.store.enqueue("jobs", case["answer"].as_str().unwrap(), SOON);
    }
    for other in ["empty", "null"] {
        rig.store.enqueue("jobs", other, SOON);
    }
    settled(&rig, "jobs").await;
    let poison = rig.store.texts("jobs-poison");
    for case in &cases {
        let name = case["answer"].as_str().unwrap();
        // The real host hangs on the first and ignores the second.
        let differs = ["s204", "unknown"].contains(&name);
        let expected = if differs { 3 } else { case["attempts"].as_u64().unwrap() as usize };
        let attempts = attempts.lock().unwrap()[name].clone();
        assert_eq!(attempts.len(), expected, "{name}");
        let counts: Vec<&str> = attempts.iter().map(|(count, _)| count.as_str()).collect();
        assert_eq!(counts, ["1", "2", "3"][..expected], "{name}");
        let ids: std::collections::HashSet<_> = attempts.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), expected, "{name}: a new invocation id on every attempt");
        assert_eq!(poison.contains(&name.to_owned()), differs || case["poison"] == 1, "{name}");
    }
    for hangs in ["s204", "empty", "null"] {
        assert!(poison.contains(&hangs.to_owned()), "{hangs}");
    }
    for parts in [
        &["'jobs'", "answered 204", "never ends"][..],
        &["'jobs'", "output 'nosuch'", "[out]"],
        &["'jobs'", "answered 500"],
        &["'jobs'", "answered with text/plain"],
        &["'jobs'", "no Content-Type"],
        &["'jobs'", "broken JSON"],
        &["'jobs'", "no object"],
        &["'jobs'", "got no answer"],
        &["'jobs'", "attempt 3 of 3"],
        &["'jobs-poison'"],
    ] {
        assert_eq!(rig.said(parts).await.0, Level::Error);
    }
    assert_eq!(rig.said(&["'jobs': line two"]).await.0, Level::Information);
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_are_stored_as_captured() {
    for encoding in ["base64", "none"] {
        let rig = setup(|request| captured_answer(&mode(request)))
            .queues(json!({"messageEncoding": encoding, "maxDequeueCount": 1}))
            .start()
            .await;
        let mut stored = Vec::new();
        for case in captures("outputs.jsonl").into_iter().filter(|case| case["encoding"] == encoding) {
            let name = case["answer"].as_str().unwrap();
            let text = if encoding == "base64" { STANDARD.encode(name) } else { name.to_owned() };
            rig.store.enqueue("jobs", &text, SOON);
            settled(&rig, "jobs").await;
            // The real host takes fifty thousand x for base64 and enqueues other bytes; here the invocation fails.
            if name != "obig" {
                stored
                    .extend(case["messages"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()));
            }
            assert_eq!(rig.store.texts("results"), stored, "{name}");
            if name == "obig" {
                assert!(rig.store.texts("jobs-poison").contains(&text));
                rig.said(&["'jobs'", "'out'", "base64", "object"]).await;
            }
            if name == "retval" {
                rig.said(&["'jobs'", "ReturnValue", "$return"]).await;
            }
        }
        rig.host.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_hidden_for_ten_minutes_and_after_a_failure_for_the_visibility_timeout() {
    let rig = setup(|_| answer("500 No", ""))
        .queues(json!({"messageEncoding": "none", "visibilityTimeout": "00:00:07", "batchSize": 5}))
        .start()
        .await;
    rig.store.enqueue("jobs", "x", SOON);
    let hidden = Seen::Renewed { queue: "jobs".to_owned(), visibility: Duration::from_secs(7) };
    rig.store.wait_until("the message is hidden again", |store| store.seen().contains(&hidden)).await;
    let received = Seen::Received { queue: "jobs".to_owned(), max: 5, visibility: Duration::from_secs(600) };
    assert!(rig.store.seen().contains(&received));
    assert_eq!(rig.store.texts("jobs"), ["x"]);
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_messages_are_in_work_than_batch_size_and_threshold_allow() {
    let mut rig = setup(|request| if mode(request) == "0" { success() } else { vec![Step::Hang] })
        .queues(json!({"messageEncoding": "none", "batchSize": 2, "newBatchThreshold": 1}))
        .start()
        .await;
    rig.store.create("jobs");
    for number in 0..9 {
        rig.store.enqueue("jobs", &format!("{number}"), SOON);
    }
    // Two at first; when one of them has ended, the other is within the threshold, and two more come: three in work.
    for _ in 0..4 {
        rig.next().await;
    }
    assert_eq!(rig.store.texts("jobs").len(), 8);
    let batches = || rig.store.seen().iter().filter(|seen| matches!(seen, Seen::Received { max: 2, .. })).count();
    let before = batches();
    rig.store.enqueue("jobs", "9", SOON);
    assert_eq!(batches(), before);
    assert!(rig.nothing_came());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_wakes_the_listener_without_a_poll() {
    let mut setup = setup(|_| success()).queues(json!({"messageEncoding": "none", "maxPollingInterval": "01:00:00"}));
    setup.store = Store::ringing();
    setup.store.create("jobs");
    let mut rig = setup.start().await;
    let idle = Seen::Received { queue: "jobs".to_owned(), max: 16, visibility: Duration::from_secs(600) };
    rig.store.wait_until("the first look", |store| store.seen() == [idle.clone()]).await;
    rig.store.enqueue("jobs", "now", SOON);
    assert_eq!(mode(&rig.next().await), "now");
    // One that is due later wakes by the clock, and one of another queue wakes nobody.
    settled(&rig, "jobs").await;
    rig.store.enqueue("other", "x", SOON);
    rig.store.enqueue("jobs", "later", Duration::from_millis(300));
    assert_eq!(mode(&rig.next().await), "later");
    settled(&rig, "jobs").await;
    let looks = rig.store.seen().iter().filter(|seen| **seen == idle).count();
    assert!(looks <= 8, "{looks} looks at the queue for two messages are polling");
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_message_of_a_ringing_store_comes_back_by_itself() {
    let mut setup = setup(|request| {
        let first = request.body.contains(r#""DequeueCount":"1""#);
        if first { answer("500 No", "") } else { success() }
    })
    .queues(json!({"messageEncoding": "none", "maxPollingInterval": "01:00:00", "visibilityTimeout": "00:00:00.200"}));
    setup.store = Store::ringing();
    let rig = setup.start().await;
    rig.store.enqueue("jobs", "x", SOON);
    settled(&rig, "jobs").await;
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_comes_later_is_listened_to_then() {
    let mut rig = setup(|_| success()).queues(json!({"messageEncoding": "none"})).start().await;
    assert!(rig.store.seen().is_empty(), "nothing is received from a queue that is not there");
    rig.store.enqueue("jobs", "x", SOON);
    rig.next().await;
    settled(&rig, "jobs").await;
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_received_too_often_already_is_poison_without_an_invocation() {
    let mut rig =
        setup(|_| vec![Step::Exit(3)]).queues(json!({"messageEncoding": "none", "maxDequeueCount": 1})).start().await;
    rig.store.enqueue("jobs", "x", SOON);
    settled(&rig, "jobs").await;
    assert_eq!(rig.store.texts("jobs-poison"), ["x"]);
    rig.next().await;
    assert!(rig.nothing_came());
    rig.host.shutdown().await;
}

/// Read in the sources of the host's queue extension, not measured.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_a_poison_queue_stays_there_hidden() {
    let mut rig = Setup::new(|_| answer("500 No", ""))
        .function("jobs-poison", queue("jobs-poison"))
        .queues(json!({"messageEncoding": "none", "maxDequeueCount": 1}))
        .start()
        .await;
    rig.store.enqueue("jobs-poison", "x", SOON);
    rig.next().await;
    rig.said(&["'jobs-poison'", "hidden for 10 minutes"]).await;
    let looks = rig.store.seen().len();
    rig.store.wait_until("another look", |store| store.seen().len() > looks).await;
    assert!(rig.nothing_came());
    assert!(!rig.store.seen().iter().any(|seen| matches!(seen, Seen::Renewed { .. })));
    assert_eq!((rig.store.texts("jobs-poison"), rig.store.texts("jobs-poison-poison")), (vec!["x".to_owned()], vec![]));
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_started_by_hand_as_captured() {
    let mut rig =
        setup(|_| success()).queues(json!({"messageEncoding": "none"})).function("web", http("web")).start().await;
    let case = captures("others.jsonl").into_iter().find(|case| case["kind"] == "admin").unwrap();
    let post = |name: &str, body: &str| {
        format!(
            "POST /admin/functions/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let got = rig.exchange(&post("jobs", r#"{"input":"hello from admin"}"#), false).await;
    assert!(got.starts_with(&format!("HTTP/1.1 {} ", case["status"])), "{got}");
    assert_eq!(normal(&rig.next().await.body), normal(case["body"].as_str().unwrap()));
    for (name, body, status) in [("nosuch", "{}", 404), ("web", "{}", 400), ("jobs", "no json", 400)] {
        let got = rig.exchange(&post(name, body), false).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {got}");
    }
    let status = rig.exchange("GET /admin/host/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false).await;
    assert!(status.contains(r#""state":"Running""#), "{status}");
    rig.host.shutdown().await;
}
