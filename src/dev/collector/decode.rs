//! OTLP's messages in plain words.

use axum::body::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{self as wire, span::SpanKind, status::StatusCode};
use prost::Message;

use super::received::{Attributes, Line, Point, Received, Span};

pub fn traces(received: &mut Received, body: Bytes) -> anyhow::Result<()> {
    for of in ExportTraceServiceRequest::decode(body)?.resource_spans {
        let resource = attributes(&of.resource.unwrap_or_default().attributes);
        let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
        received.spans.extend(spans.map(|sent| span(&sent, &resource)));
    }
    Ok(())
}

fn span(sent: &wire::Span, resource: &Attributes) -> Span {
    Span {
        trace: hex::encode(&sent.trace_id),
        id: hex::encode(&sent.span_id),
        parent: hex::encode(&sent.parent_span_id),
        name: sent.name.clone(),
        kind: match sent.kind() {
            SpanKind::Server => "server",
            SpanKind::Client => "client",
            SpanKind::Consumer => "consumer",
            _ => "internal",
        },
        begun: sent.start_time_unix_nano,
        ended: sent.end_time_unix_nano,
        failed: sent.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
        attributes: attributes(&sent.attributes),
        links: sent.links.iter().map(|link| hex::encode(&link.trace_id)).collect(),
        resource: resource.clone(),
    }
}

pub fn logs(received: &mut Received, body: Bytes) -> anyhow::Result<()> {
    let sent = ExportLogsServiceRequest::decode(body)?.resource_logs.into_iter();
    let records = sent.flat_map(|of| of.scope_logs).flat_map(|scope| scope.log_records);
    received.lines.extend(records.map(|record| Line {
        trace: hex::encode(&record.trace_id),
        span: hex::encode(&record.span_id),
        severity: record.severity_text.clone(),
        body: text(record.body.as_ref()),
        attributes: attributes(&record.attributes),
    }));
    Ok(())
}

pub fn metrics(received: &mut Received, body: Bytes) -> anyhow::Result<()> {
    let sent = ExportMetricsServiceRequest::decode(body)?.resource_metrics.into_iter();
    for metric in sent.flat_map(|of| of.scope_metrics).flat_map(|scope| scope.metrics) {
        received.points.extend(points(&metric));
    }
    Ok(())
}

fn points(metric: &Metric) -> Vec<Point> {
    let delta = |temporality: AggregationTemporality| temporality == AggregationTemporality::Delta;
    let point = |kind, delta, value, count, of: &[KeyValue]| Point {
        name: metric.name.clone(),
        kind,
        delta,
        unit: metric.unit.clone(),
        value,
        count,
        attributes: attributes(of),
    };
    match &metric.data {
        Some(metric::Data::Sum(sum)) => {
            let delta = delta(sum.aggregation_temporality());
            sum.data_points.iter().map(|of| point("sum", delta, number(of), 1, &of.attributes)).collect()
        }
        Some(metric::Data::Gauge(gauge)) => {
            gauge.data_points.iter().map(|of| point("gauge", false, number(of), 1, &of.attributes)).collect()
        }
        Some(metric::Data::Histogram(histogram)) => {
            let delta = delta(histogram.aggregation_temporality());
            let points = histogram.data_points.iter();
            points.map(|of| point("histogram", delta, of.sum.unwrap_or_default(), of.count, &of.attributes)).collect()
        }
        _ => Vec::new(),
    }
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => value as f64,
        None => 0.0,
    }
}

fn attributes(of: &[KeyValue]) -> Attributes {
    of.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::BoolValue(value)) => value.to_string(),
        Some(any_value::Value::IntValue(value)) => value.to_string(),
        Some(any_value::Value::DoubleValue(value)) => value.to_string(),
        _ => String::new(),
    }
}
