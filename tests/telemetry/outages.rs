//! Whoever takes telemetry can do a run no harm: it goes on, waits for no longer than the bound, and for that only once.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use serde_json::json;
use windlass::dev::collector::{Collector, Manner};

use crate::handler::Handler;

const BOUND_MS: &str = "400";
const BOUND: Duration = Duration::from_millis(400);
/// What an invocation may take beside the bound, on a machine that is busy with other things.
const WORK: Duration = Duration::from_secs(10);

async fn sending_to(url: &str) -> Handler {
    Handler::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url), ("WINDLASS_TELEMETRY_FLUSH_MS", BOUND_MS)]).await
}

async fn run_to_its_end(handler: &Handler) -> Vec<Duration> {
    let id = handler.start_probe(&json!({}), &[]).await;
    let (run, took) = handler.drain(&id).await;
    assert_eq!(run.failure, None);
    assert_eq!(took.len(), 4);
    assert!(took.iter().all(|took| *took < BOUND + WORK), "{took:?}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_costs_no_run_and_is_spoken_of_once() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let handler = sending_to(&format!("http://127.0.0.1:{port}")).await;
    run_to_its_end(&handler).await;
    assert_eq!(handler.count("telemetry_refused"), 1, "{}", handler.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_is_not_asked_by_the_next_invocation() {
    let collector = Collector::start(0).await.unwrap();
    for (status, after) in [(429, Some(600)), (503, Some(600)), (500, None), (401, None), (400, None)] {
        collector.behave(Manner::Refuses(status, after));
        let handler = sending_to(&collector.url()).await;
        let id = handler.start_probe(&json!({}), &[]).await;
        let asked = collector.asked();
        assert!(asked > 0, "the start has tried");
        handler.drain(&id).await;
        assert_eq!(collector.asked(), asked, "nobody has tried since: {status}");
        assert_eq!(handler.count("telemetry_refused"), 1, "{}", handler.said());
        assert!(handler.said().contains(&format!("HTTP status {status}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_is_waited_for_once_and_no_longer_than_the_bound() {
    let collector = Collector::start(0).await.unwrap();
    collector.behave(Manner::Hangs);
    let handler = sending_to(&collector.url()).await;
    run_to_its_end(&handler).await;
    assert_eq!(handler.count("telemetry_slow"), 1, "{}", handler.said());
    // Whatever was begun is one try of each kind.
    assert!(collector.asked() <= 3, "{}", collector.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_insights_that_is_throttled_costs_no_run() {
    let collector = Collector::start(0).await.unwrap();
    collector.behave(Manner::Refuses(429, Some(600)));
    let connection = format!("InstrumentationKey={};IngestionEndpoint={}/", crate::insights::KEY, collector.url());
    let handler = Handler::start(&[("APPLICATIONINSIGHTS_CONNECTION_STRING", &connection)]).await;
    let id = handler.start_probe(&json!({}), &[]).await;
    let asked = collector.asked();
    handler.drain(&id).await;
    assert!(asked > 0);
    assert_eq!(collector.asked(), asked);
}
