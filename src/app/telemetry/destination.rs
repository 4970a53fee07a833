//! Who takes telemetry.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It was taken, but for so many of its items.
    Taken { refused: u64 },
    /// It will not be taken, however often it is sent.
    Refused(String),
    /// It may be taken later: not before `after`, if it was said.
    Later { why: String, after: Option<Duration> },
}

/// Makes one request for one batch and never repeats it. It is asked for one batch of a kind at a time.
#[async_trait]
pub trait Destination: Send + Sync {
    /// As the log names it.
    fn name(&self) -> &'static str;
    async fn spans(&self, batch: Vec<SpanData>) -> Sent;
    async fn lines(&self, batch: &[SdkLogRecord]) -> Sent;
    async fn metrics(&self, metrics: &ResourceMetrics) -> Sent;
}
