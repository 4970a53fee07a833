use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use windlass::dev::azure::{BuildEffect, Fault, RequestEffect};

use crate::lab::{Lab, archive, code, request, storage_code};

const FILES: [(&str, &str); 1] = [("Dockerfile", "FROM scratch\nRUN one\nRUN two\n")];

fn meeting(path: &str, effect: RequestEffect) -> Fault {
    Fault::Request { method: None, path: path.into(), effect, after: 0, count: 1 }
}

#[tokio::test]
async fn a_throttled_call_says_when_to_come_back_and_the_next_one_passes() {
    let lab = Lab::open().await;
    lab.azure.fault(meeting("/runs", RequestEffect::Throttle { retry_after_s: 7 }));
    let answer = lab.arm(Method::GET, "/runs").send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(code(answer, 429).await, "TooManyRequests");
    assert!(lab.azure.faults().is_empty());
    lab.get("/runs").await;
}

#[tokio::test]
async fn storage_says_busy_in_its_own_way() {
    let lab = Lab::open().await;
    let (url, _) = lab.upload_offer().await;
    lab.azure.fault(meeting("/source/", RequestEffect::Throttle { retry_after_s: 1 }));
    let answer = lab.http.put(url).header("x-ms-blob-type", "BlockBlob").body("x").send().await.unwrap();
    assert_eq!(storage_code(answer, 503).await, "ServerBusy");
}

#[tokio::test]
async fn a_failure_comes_as_json_or_as_a_gateways_page() {
    let lab = Lab::open().await;
    lab.azure.fault(meeting("/runs", RequestEffect::Fail { status: 500, html: false, retry_after_s: None }));
    assert_eq!(code(lab.arm(Method::GET, "/runs").send().await.unwrap(), 500).await, "InternalServerError");
    lab.azure.fault(meeting("/runs", RequestEffect::Fail { status: 503, html: true, retry_after_s: Some(2) }));
    let page = lab.arm(Method::GET, "/runs").send().await.unwrap();
    assert_eq!((page.status().as_u16(), &page.headers()["retry-after"]), (503, &"2".parse().unwrap()));
    assert!(page.text().await.unwrap().starts_with("<html>"));
}

#[tokio::test]
async fn a_dropped_call_has_no_effect_and_a_lost_reply_has() {
    let lab = Lab::open().await;
    let source = lab.upload(archive(&FILES)).await;
    let body = request("elb-api:v1", &source);
    lab.azure.fault(meeting("/scheduleRun", RequestEffect::Drop));
    assert!(lab.arm(Method::POST, "/scheduleRun").json(&body).send().await.is_err());
    assert!(lab.azure.runs().is_empty());
    lab.azure.fault(meeting("/scheduleRun", RequestEffect::LoseReply));
    assert!(lab.arm(Method::POST, "/scheduleRun").json(&body).send().await.is_err());
    assert_eq!(lab.azure.runs().len(), 1);
    let met: Vec<_> =
        lab.azure.requests().into_iter().filter(|r| r.fault.is_some()).map(|r| (r.fault, r.status)).collect();
    assert_eq!(met, [(Some("drop"), None), (Some("lose_reply"), None)]);
}

#[tokio::test]
async fn a_slow_call_takes_its_time() {
    let lab = Lab::open().await;
    lab.azure.fault(meeting("/runs", RequestEffect::Slow { millis: 80 }));
    let before = Instant::now();
    lab.get("/runs").await;
    assert!(before.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn a_log_link_can_expire_in_mid_run() {
    let lab = Lab::open().await;
    let run = lab.build("elb-api:v1", &FILES).await;
    lab.finish(&run).await;
    lab.log(&run).await;
    lab.azure.fault(meeting("/rawtext.log", RequestEffect::ExpiredSignature));
    let answer = lab.http.get(lab.log_link(&run).await).send().await.unwrap();
    assert_eq!(storage_code(answer, 403).await, "AuthenticationFailed");
    lab.log(&run).await;
}

#[tokio::test]
async fn a_build_fails_at_the_step_and_with_the_lines_that_were_asked_for() {
    let lab = Lab::open().await;
    let effect = BuildEffect::FailStep { step: 2, lines: vec!["npm ERR! missing script".into()] };
    lab.azure.fault(Fault::Build { image: "elb-api".into(), effect, count: 1 });
    let spared = lab.build("elb-web:v1", &FILES).await;
    let run = lab.build("elb-api:v1", &FILES).await;
    assert_eq!(lab.finish(&spared).await["status"], "Succeeded");
    assert_eq!(lab.finish(&run).await["status"], "Failed");
    let log = lab.log(&run).await;
    assert!(log.contains("Step 2/3 : RUN one\r\n ---> Running in "), "{log}");
    assert!(log.contains("npm ERR! missing script\r\nThe command '/bin/sh -c one' returned a non-zero code: 1"));
    assert!(!log.contains("Step 3/3"));
    let again = lab.build("elb-api:v1", &FILES).await;
    assert_eq!(lab.finish(&again).await["status"], "Succeeded");
}

#[tokio::test]
async fn a_run_can_time_out_lose_its_agent_or_never_start() {
    let lab = Lab::open().await;
    for (effect, status, completion) in [
        (BuildEffect::TimeOutInStep { step: 3 }, "Timeout", "timedout"),
        (BuildEffect::AgentFailsInStep { step: 1 }, "Error", "internalerror"),
    ] {
        lab.azure.fault(Fault::Build { image: String::new(), effect, count: 1 });
        let run = lab.build("elb-api:v1", &FILES).await;
        assert_eq!(lab.finish(&run).await["status"], status);
        lab.log(&run).await;
        let head = lab.http.head(lab.log_link(&run).await).send().await.unwrap();
        assert_eq!(head.headers()["x-ms-meta-complete"], completion);
    }
    lab.azure.fault(Fault::Build { image: String::new(), effect: BuildEffect::StuckQueued, count: 1 });
    let run = lab.build("elb-api:v1", &FILES).await;
    for _ in 0..20 {
        assert_eq!(lab.get(&format!("/runs/{run}")).await["properties"]["status"], "Queued");
    }
    assert_eq!(lab.post_empty(&format!("/runs/{run}/cancel")).send().await.unwrap().status(), 200);
    assert_eq!(lab.finish(&run).await["status"], "Canceled");
    assert_eq!(lab.http.get(lab.log_link(&run).await).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_admin_surface_takes_faults_and_tells_what_happened() {
    let lab = Lab::open().await;
    let at = |call: &str| format!("{}/_sim/{call}", lab.base());
    let fault = json!({"on": "request", "path": "/runs", "effect": {"kind": "throttle", "retry_after_s": 1}});
    assert_eq!(lab.http.post(at("faults")).json(&fault).send().await.unwrap().status(), 200);
    let nonsense = json!({"on": "request", "effect": {"kind": "explode"}});
    assert_eq!(lab.http.post(at("faults")).json(&nonsense).send().await.unwrap().status(), 400);
    assert_eq!(lab.arm(Method::GET, "/runs").send().await.unwrap().status(), 429);
    let run = lab.build("elb-api:v1", &FILES).await;
    lab.finish(&run).await;
    lab.log(&run).await;
    let tell = async |call: &str| -> Value { lab.http.get(at(call)).send().await.unwrap().json().await.unwrap() };
    assert_eq!(tell("faults").await, json!([]));
    assert_eq!(tell("runs").await[0]["images"], json!(["elb-api:v1"]));
    assert!(tell("images").await["elb-api:v1"].is_string());
    let requests = tell("requests").await.to_string();
    assert!(requests.contains("sig=***"), "{requests}");
    assert!(!requests.contains("%2F") && !requests.contains(&lab.settings["IDENTITY_HEADER"]));
    assert_eq!(lab.http.post(at("reset")).send().await.unwrap().status(), 200);
    assert_eq!((tell("runs").await, tell("requests").await), (json!([]), json!([])));
}

#[tokio::test]
async fn a_stopped_simulator_frees_its_port() {
    let lab = Lab::open().await;
    let address = lab.azure.address();
    lab.azure.stop().await;
    assert!(lab.http.get(format!("http://{address}/")).send().await.is_err());
    assert!(tokio::net::TcpListener::bind(address).await.is_ok());
}
