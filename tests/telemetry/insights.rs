//! Application Insights, as it takes telemetry.

use serde_json::{Value, json};
use windlass::dev::azure::{self, SimOptions};
use windlass::dev::collector::Collector;

use crate::handler::Handler;

pub const KEY: &str = "0bdbfc0e-3c3f-4d92-a7a6-b4f0b3a5c0de";
const CALLERS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn connection(collector: &Collector) -> String {
    format!("InstrumentationKey={KEY};IngestionEndpoint={}/", collector.url())
}

/// What was sent of a kind, as `(tags, data)`.
fn sent(collector: &Collector, kind: &str) -> Vec<(Value, Value)> {
    let received = collector.received();
    let of = |envelope: &&Value| envelope["name"] == format!("Microsoft.ApplicationInsights.{kind}");
    assert!(received.envelopes.iter().all(|envelope| envelope["iKey"] == KEY));
    let envelopes = received.envelopes.iter().filter(of);
    envelopes.map(|envelope| (envelope["tags"].clone(), envelope["data"]["baseData"].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runs_phases_are_requests_of_one_operation() {
    let collector = Collector::start(0).await.unwrap();
    let settings =
        [("APPLICATIONINSIGHTS_CONNECTION_STRING", connection(&collector)), ("OTEL_SERVICE_NAME", "plant".into())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let handler = Handler::start(&settings).await;
    let id = handler.start_probe(&json!({}), &[("traceparent", CALLERS)]).await;
    handler.drain(&id).await;
    assert_eq!(handler.invoke("windlass_sweep", "{}", &[]).await.0, 200);
    let requests = sent(&collector, "Request");
    let of_run = |(_, data): &&(Value, Value)| data["properties"]["windlass.run"] == id.to_string();
    let names: Vec<_> = requests.iter().filter(of_run).map(|(_, data)| data["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["POST /api/probe/start", "probe/prepare", "probe/build", "probe/deploy", "probe/verify"]);
    for (tags, data) in requests.iter().filter(of_run) {
        assert_eq!(tags["ai.operation.id"], "0af7651916cd43dd8448eb211c80319c", "{tags}");
        assert_eq!((&tags["ai.cloud.role"], &data["success"]), (&json!("plant"), &json!(true)));
    }
    let start = requests.iter().find(of_run).expect("a start");
    assert_eq!(start.1["responseCode"], "202");
    let lines = sent(&collector, "Message");
    assert!(lines.iter().any(|(_, data)| data["message"] == "swept"), "{lines:#?}");
    let metrics = sent(&collector, "Metric");
    let counted = |name: &str| metrics.iter().any(|(_, data)| data["metrics"][0]["name"] == name);
    for name in ["windlass.runs.ended", "windlass.phase.duration", "windlass.queue.age", "windlass.sweep.rounds"] {
        assert!(counted(name), "{name}");
    }
    assert!(collector.received().headers.iter().all(|headers| !headers.contains_key("authorization")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_signs_in_where_it_is_told_to() {
    let collector = Collector::start(0).await.unwrap();
    let azure = azure::start(SimOptions::default()).await.unwrap();
    let mut settings = azure.settings();
    settings.push(("APPLICATIONINSIGHTS_CONNECTION_STRING".into(), connection(&collector)));
    settings.push(("APPLICATIONINSIGHTS_AUTHENTICATION_STRING".into(), "Authorization=AAD".into()));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let handler = Handler::start(&settings).await;
    let id = handler.start_probe(&json!({}), &[]).await;
    handler.drain(&id).await;
    assert!(!sent(&collector, "Request").is_empty(), "{}", handler.said());
    let received = collector.received();
    let bearer = |headers: &axum::http::HeaderMap| headers["authorization"].to_str().unwrap().starts_with("Bearer ey");
    assert!(received.headers.iter().all(bearer));
    let token = received.headers[0]["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    assert!(!handler.said().contains(&token));
}
