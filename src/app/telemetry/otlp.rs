//! A collector that speaks OTLP over HTTP, in protobuf.
//!
//! The exporter that OpenTelemetry offers reads a score of environment variables by itself, past what was declared and
//! checked, and repeats requests while an invocation waits. So the messages are theirs and the requests are ours.

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogBatch, SdkLogRecord};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::client::Wire;
use super::destination::{Destination, Sent};
use super::scope;
use crate::config::OtlpConfig;

pub struct Otlp {
    wire: Wire,
    traces: Url,
    metrics: Url,
    logs: Url,
    resource: ResourceAttributesWithSchema,
}

impl Otlp {
    pub fn new(config: &OtlpConfig, resource: &Resource) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let mut value = HeaderValue::from_str(value.expose())?;
            value.set_sensitive(true);
            headers.append(HeaderName::try_from(name)?, value);
        }
        let base = config.endpoint.as_str().trim_end_matches('/');
        let below = |path: &str| Url::parse(&format!("{base}{path}"));
        Ok(Self {
            wire: Wire::new(&config.endpoint, headers, None)?,
            traces: below("/v1/traces")?,
            metrics: below("/v1/metrics")?,
            logs: below("/v1/logs")?,
            resource: ResourceAttributesWithSchema::from(resource),
        })
    }

    async fn send<A: Message + Default>(
        &self,
        url: &Url,
        request: impl Message,
        refused: impl FnOnce(A) -> Option<i64>,
    ) -> Sent {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))]);
        match self.wire.post(url.clone(), headers, Bytes::from(request.encode_to_vec())).await {
            Ok(answer) => {
                let refused = A::decode(answer).ok().and_then(refused).unwrap_or_default();
                Sent::Taken { refused: u64::try_from(refused).unwrap_or_default() }
            }
            Err(sent) => sent,
        }
    }
}

#[async_trait]
impl Destination for Otlp {
    fn name(&self) -> &'static str {
        "OTLP"
    }

    async fn spans(&self, batch: Vec<SpanData>) -> Sent {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let refused = |answer: ExportTraceServiceResponse| Some(answer.partial_success?.rejected_spans);
        self.send(&self.traces, ExportTraceServiceRequest { resource_spans }, refused).await
    }

    async fn lines(&self, batch: &[SdkLogRecord]) -> Sent {
        let resource_logs = {
            let scope = scope();
            let lines: Vec<_> = batch.iter().map(|line| (line, &scope)).collect();
            group_logs_by_resource_and_scope(&LogBatch::new(&lines), &self.resource)
        };
        let refused = |answer: ExportLogsServiceResponse| Some(answer.partial_success?.rejected_log_records);
        self.send(&self.logs, ExportLogsServiceRequest { resource_logs }, refused).await
    }

    async fn metrics(&self, metrics: &ResourceMetrics) -> Sent {
        let refused = |answer: ExportMetricsServiceResponse| Some(answer.partial_success?.rejected_data_points);
        self.send(&self.metrics, ExportMetricsServiceRequest::from(metrics), refused).await
    }
}
