//! Application Insights: spans become requests and dependencies, lines become traces, metrics become custom metrics.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_application_insights::Exporter;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLogRecord};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use serde::Deserialize;
use url::Url;

use super::client::{Signature, Wire};
use super::destination::{Destination, Sent};
use super::scope;
use crate::config::InsightsConfig;

pub struct Insights {
    spans: Way,
    lines: Way,
    metrics: Way,
}

impl Insights {
    pub fn new(config: &InsightsConfig, signature: Option<Signature>, resource: &Resource) -> anyhow::Result<Self> {
        let wire = Wire::new(&config.ingestion, Default::default(), signature)?;
        let track = format!("{}/v2.1/track", config.ingestion.as_str().trim_end_matches('/'));
        let track = Url::parse(&track)?;
        let way = || Way::new(config, &wire, &track, resource);
        Ok(Self { spans: way()?, lines: way()?, metrics: way()? })
    }
}

#[async_trait]
impl Destination for Insights {
    fn name(&self) -> &'static str {
        "Application Insights"
    }

    async fn spans(&self, batch: Vec<SpanData>) -> Sent {
        let _ = SpanExporter::export(&self.spans.exporter, batch).await;
        self.spans.tap.told()
    }

    async fn lines(&self, batch: &[SdkLogRecord]) -> Sent {
        let scope = scope();
        let lines: Vec<_> = batch.iter().map(|line| (line, &scope)).collect();
        let _ = LogExporter::export(&self.lines.exporter, LogBatch::new(&lines)).await;
        self.lines.tap.told()
    }

    async fn metrics(&self, metrics: &ResourceMetrics) -> Sent {
        let _ = PushMetricExporter::export(&self.metrics.exporter, metrics).await;
        self.metrics.tap.told()
    }
}

/// An exporter, and what its last request came to.
struct Way {
    exporter: Exporter<Tap>,
    tap: Tap,
}

impl Way {
    fn new(config: &InsightsConfig, wire: &Wire, track: &Url, resource: &Resource) -> anyhow::Result<Self> {
        let tap = Tap(Arc::new(Line { wire: wire.clone(), track: track.clone(), told: Mutex::default() }));
        // Where to is the tap's matter: the exporter would take nothing but https, and an older path.
        let key = format!("InstrumentationKey={}", config.instrumentation_key);
        let exporter = Exporter::new_from_connection_string(key, tap.clone());
        let mut exporter = exporter.map_err(|error| anyhow::anyhow!("Application Insights: {error}"))?;
        SpanExporter::set_resource(&mut exporter, resource);
        Ok(Self { exporter, tap })
    }
}

/// The exporter's HTTP. Whatever comes back, the exporter is told that this was it: its own repetitions would go on
/// for half a minute while an invocation waits.
#[derive(Clone)]
struct Tap(Arc<Line>);

struct Line {
    wire: Wire,
    track: Url,
    told: Mutex<Option<Sent>>,
}

impl Tap {
    fn told(&self) -> Sent {
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        told.unwrap_or_else(|| Sent::Refused("it could not be written".to_owned()))
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

#[async_trait]
impl HttpClient for Tap {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let sent = match self.0.wire.post(self.0.track.clone(), parts.headers, body).await {
            Ok(answer) => Sent::Taken { refused: refused(&answer) },
            Err(sent) => sent,
        };
        let status = if matches!(sent, Sent::Taken { .. }) { 200 } else { 400 };
        *self.0.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}

/// How many items of a request were not accepted, by the answer to it.
fn refused(answer: &[u8]) -> u64 {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Track {
        items_received: u64,
        items_accepted: u64,
    }
    let track = serde_json::from_slice::<Track>(answer);
    track.map_or(0, |track| track.items_received.saturating_sub(track.items_accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_how_much_of_a_request_was_accepted() {
        assert_eq!(refused(br#"{"itemsReceived":3,"itemsAccepted":1,"errors":[]}"#), 2);
        assert_eq!(refused(br#"{"itemsReceived":3,"itemsAccepted":3}"#), 0);
        assert_eq!(refused(b""), 0);
    }
}
