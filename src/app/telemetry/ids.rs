//! A place in a trace, in the words of the SDK.

use opentelemetry::trace::{SpanId, TraceId};

use crate::model::Traceparent;

pub fn ids(place: Traceparent) -> (TraceId, SpanId) {
    (TraceId::from_bytes(place.trace().to_be_bytes()), SpanId::from_bytes(place.span().to_be_bytes()))
}
