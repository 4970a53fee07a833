//! Nothing that is sent holds a secret, wherever one was put.

use serde_json::json;
use windlass::dev::collector::Collector;
use windlass::http::auth::DEV_BYPASS_TOKEN;

use crate::handler::Handler;

const PLANTED: &str = "pl4nted";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_caller_or_of_ours_is_in_anything_that_is_sent() {
    let collector = Collector::start(0).await.unwrap();
    let connection = format!("InstrumentationKey={};IngestionEndpoint={}/", crate::insights::KEY, collector.url());
    let handler = Handler::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=pl4nted-collector-key,x-tenant=a%20b"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", &connection),
        ("WINDLASS_LOG", "trace"),
    ])
    .await;
    let client = reqwest::Client::new();
    for path in ["/api/probe/start", "/api/runs/token=pl4nted-id/terminate", "/api/token=pl4nted-path"] {
        let url = format!("{}{path}?code=pl4nted-code&sig=pl4nted-sig", handler.base);
        let request = client.post(url).bearer_auth(DEV_BYPASS_TOKEN).header("x-functions-key", "pl4nted-key");
        let body = json!({"password": "pl4nted-field", "drill": {"phase": "token=pl4nted-phase", "action": "fail"}});
        let status = request.json(&body).send().await.unwrap().status().as_u16();
        assert!((400..500).contains(&status), "{status}");
    }
    let messages = ["no ticket: AccountKey=pl4nted-message;sig=pl4nted-sig", "password=pl4nted"];
    for message in messages {
        assert_eq!(handler.invoke("probe_build", message, &[]).await.0, 200);
        assert_eq!(handler.invoke("probe_build_poison", message, &[]).await.0, 200);
    }
    let id = handler.start_probe(&json!({}), &[]).await;
    let mut ticket = handler.run(&id).await.ticket();
    ticket.phase = "token=pl4nted-phase".into();
    let ticket = serde_json::to_string(&ticket).unwrap();
    assert_eq!(
        handler.invoke("probe_build", &ticket, &[("x-azure-functions-invocationid", "sig=pl4nted")]).await.0,
        200
    );
    handler.drain(&id).await;

    let received = collector.received();
    let spans = serde_json::to_string(&received.spans).unwrap();
    let lines = serde_json::to_string(&received.lines).unwrap();
    let points = serde_json::to_string(&received.points).unwrap();
    let envelopes = serde_json::to_string(&received.envelopes).unwrap();
    for sent in [&spans, &lines, &points, &envelopes] {
        assert!(sent.len() > 100, "nothing was sent");
        assert!(!sent.contains(PLANTED), "{sent}");
    }
    assert!(!spans.contains("code=") && !spans.contains("/api/token"), "an address is in: {spans}");
    assert!(!handler.said().contains(PLANTED));
    // It was sent to where it belongs.
    let keys = received.headers.iter().filter_map(|headers| headers.get("x-collector-key"));
    assert!(keys.clone().count() > 0 && keys.into_iter().all(|key| key == "pl4nted-collector-key"));
    assert!(received.headers.iter().filter_map(|headers| headers.get("x-tenant")).all(|tenant| tenant == "a b"));
}
