//! Telemetry as it was received, whoever sent it.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

pub type Attributes = BTreeMap<String, String>;

#[derive(Default)]
pub struct Received {
    pub spans: Vec<Span>,
    pub lines: Vec<Line>,
    pub points: Vec<Point>,
    /// What came as to Application Insights.
    pub envelopes: Vec<Value>,
    /// Of each request that was taken.
    pub headers: Vec<HeaderMap>,
}

/// Ids in hex digits; empty where there is none.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Span {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    pub kind: &'static str,
    /// Nanoseconds since 1970.
    pub begun: u64,
    pub ended: u64,
    pub failed: bool,
    pub attributes: Attributes,
    /// The traces that it is linked to.
    pub links: Vec<String>,
    pub resource: Attributes,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Line {
    pub trace: String,
    pub span: String,
    pub severity: String,
    pub body: String,
    pub attributes: Attributes,
}

/// One data point of a metric.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Point {
    pub name: String,
    /// `sum`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Whether it tells what is new since the last one.
    pub delta: bool,
    pub unit: String,
    /// Of a histogram, the sum of what was measured.
    pub value: f64,
    /// Of a histogram, how often it was measured.
    pub count: u64,
    pub attributes: Attributes,
}

impl Span {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether it is the delivery that ended a run.
    pub fn ends_run(&self) -> bool {
        matches!(self.attribute("windlass.answer"), "done" | "failed" | "terminated")
    }
}

impl Received {
    /// The sum over all points of a metric that have these attributes, among others.
    pub fn sum(&self, name: &str, attributes: &[(&str, &str)]) -> f64 {
        let has = |point: &&Point| {
            attributes.iter().all(|(key, value)| point.attributes.get(*key).is_some_and(|v| v == value))
        };
        self.points.iter().filter(|point| point.name == name).filter(has).map(|point| point.value).sum()
    }
}
