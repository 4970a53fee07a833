//! A run is one trace, and each part of it has arrived when the host is answered.

use serde_json::json;
use windlass::dev::collector::{Collector, Span};
use windlass::model::RunId;

use crate::handler::Handler;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLERS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const HOSTS: &str = "00-11111111111111111111111111111111-2222222222222222-01";
const INVOCATION: &str = "10fde54a-0c3e-4a7e-9d4b-1f2a3b4c5d6e";

pub async fn watched() -> (Collector, Handler) {
    let collector = Collector::start(0).await.unwrap();
    let handler = Handler::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]).await;
    (collector, handler)
}

fn of_run(collector: &Collector, id: &RunId) -> Vec<Span> {
    let received = collector.received();
    received.spans.iter().filter(|span| span.attribute("windlass.run") == id.to_string()).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_trace_below_its_callers_and_every_phase_of_it_is_there_when_the_host_is_answered() {
    let (collector, handler) = watched().await;
    let id = handler.start_probe(&json!({}), &[("traceparent", CALLERS)]).await;
    let start = of_run(&collector, &id).pop().expect("the start is there when it is answered");
    assert_eq!((start.name.as_str(), start.kind), ("POST /api/probe/start", "server"));
    assert_eq!((start.trace.as_str(), start.parent.as_str()), (TRACE, "b7ad6b7169203331"));
    assert_eq!(start.attribute("http.response.status_code"), "202");
    assert_eq!(start.resource["service.name"], "windlass");
    let kept = handler.run(&id).await.traceparent.expect("the row knows");
    assert_eq!(kept.to_string(), format!("00-{TRACE}-{}-01", start.id));

    let told = [("traceparent", HOSTS), ("x-azure-functions-invocationid", INVOCATION)];
    for (at, phase) in ["prepare", "build", "deploy", "verify"].into_iter().enumerate() {
        handler.deliver(&id, &told).await;
        let spans = of_run(&collector, &id);
        assert_eq!(spans.len(), at + 2, "the delivery of {phase} is there");
        let delivery = spans.last().unwrap();
        assert_eq!((delivery.name.as_str(), delivery.kind), (format!("probe/{phase}").as_str(), "consumer"));
        assert_eq!((&delivery.trace, &delivery.parent), (&start.trace, &start.id));
        assert_eq!(delivery.links, [HOSTS.split('-').nth(1).unwrap()]);
        let answer = if phase == "verify" { "done" } else { "next" };
        for (name, value) in [
            ("windlass.pipeline", "probe"),
            ("windlass.phase", phase),
            ("windlass.attempt", "1"),
            ("windlass.seq", &at.to_string()),
            ("windlass.invocation", INVOCATION),
            ("windlass.answer", answer),
        ] {
            assert_eq!(delivery.attribute(name), value, "{name} of {phase}");
        }
        assert!(!delivery.failed && delivery.ended >= delivery.begun);
    }
    assert!(handler.run(&id).await.is_ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_caller_has_no_trace_or_a_malformed_one_gets_its_own() {
    let (collector, handler) = watched().await;
    for headers in [vec![], vec![("traceparent", "00-zz-b7ad6b7169203331-01")], vec![("traceparent", "")]] {
        let id = handler.start_probe(&json!({}), &headers).await;
        handler.drain(&id).await;
        let spans = of_run(&collector, &id);
        let start = spans.first().expect("a start");
        assert_eq!((spans.len(), start.parent.as_str()), (5, ""));
        assert!(spans.iter().all(|span| span.trace == start.trace));
        assert!(spans.iter().skip(1).all(|span| span.parent == start.id && span.links.is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_nothing_says_so() {
    let (collector, handler) = watched().await;
    let id = handler.start_probe(&json!({"drill": {"phase": "prepare", "action": "fail"}}), &[]).await;
    let ticket = serde_json::to_string(&handler.run(&id).await.ticket()).unwrap();
    handler.deliver(&id, &[]).await;
    // The same message comes once more.
    assert_eq!(handler.invoke("probe_prepare", &ticket, &[]).await.0, 200);
    let spans = of_run(&collector, &id);
    let answers: Vec<_> = spans.iter().skip(1).map(|span| (span.attribute("windlass.answer"), span.failed)).collect();
    assert_eq!(answers, [("failed", true), ("stale", false)]);
    assert!(spans.iter().all(|span| span.trace == spans[0].trace));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_and_its_lines_belong_to_what_the_host_began() {
    let (collector, handler) = watched().await;
    let told = [("traceparent", HOSTS), ("x-azure-functions-invocationid", INVOCATION)];
    assert_eq!(handler.invoke("windlass_sweep", "{}", &told).await.0, 200);
    let received = collector.received();
    let sweep = received.spans.iter().find(|span| span.name == "sweep").expect("a sweep");
    assert_eq!((sweep.trace.as_str(), sweep.parent.as_str()), ("11111111111111111111111111111111", "2222222222222222"));
    assert_eq!((sweep.kind, sweep.attribute("windlass.invocation")), ("consumer", INVOCATION));
    let line = received.lines.iter().find(|line| line.body == "swept").expect("its line");
    assert_eq!((&line.trace, &line.span, line.severity.as_str()), (&sweep.trace, &sweep.id, "INFO"));
    assert_eq!(line.attributes["windlass.invocation"], INVOCATION);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_says_whose_work_it_is_about() {
    for format in ["text", "json"] {
        let handler = Handler::start(&[("WINDLASS_LOG_FORMAT", format)]).await;
        let body = json!({"drill": {"phase": "prepare", "action": "panic"}});
        let id = handler.start_probe(&body, &[("traceparent", CALLERS)]).await;
        assert_eq!(
            handler.invoke("windlass_sweep", "{}", &[("x-azure-functions-invocationid", INVOCATION)]).await.0,
            200
        );
        let said = handler.said();
        let line = said.lines().find(|line| line.contains("swept")).expect("a line");
        assert!(line.contains(INVOCATION) && line.contains("traceparent"), "{line}");
        assert!(handler.run(&id).await.traceparent.is_some(), "also where nothing is sent");
    }
}
