//! Makes what is to be sent of the spans that the rooms open and of the lines that they say in them.
//!
//! Two fields place a span in a trace. `traceparent` is what it was given: it lies below that. `span` is its own id,
//! where the room has told it to somebody already; if both name one span, it is the first of its trace. Without
//! `traceparent` it lies below the span that it was opened in.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Link, SpanContext, SpanId, Status, TraceFlags, TraceState};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanLinks};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::Fields;
use super::ids::ids;
use super::lines::{Around, Lines};
use super::outlet::Outlet;
use super::scope;
use super::vocabulary::{Kind, attribute};
use crate::model::Traceparent;

pub struct Spans {
    outlets: Arc<[Arc<Outlet>]>,
    lines: Lines,
}

/// A span that has not ended.
struct Begun {
    kind: Kind,
    at: SystemTime,
    /// The span itself.
    place: Traceparent,
    /// The span that it lies below.
    parent: Option<u64>,
    fields: Fields,
    link: Option<Traceparent>,
}

impl Spans {
    pub fn new(outlets: Arc<[Arc<Outlet>]>) -> Self {
        Self { outlets, lines: Lines::new() }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (Some(span), Some(kind)) = (context.span(id), Kind::of(attributes.metadata().name())) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let random = fastrand::u64(1..);
        let mut begun = Begun {
            kind,
            at: SystemTime::now(),
            place: Traceparent::new(u128::from(fastrand::u64(..)) << 64 | u128::from(random), random),
            parent: None,
            fields,
            link: None,
        };
        for outer in span.scope().skip(1) {
            let extensions = outer.extensions();
            let Some(outer) = extensions.get::<Begun>() else { continue };
            begun.below(outer);
            if outer.kind != Kind::Invocation {
                break;
            }
        }
        begun.settle();
        span.extensions_mut().insert(begun);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(begun) = span.extensions_mut().get_mut::<Begun>() {
            values.record(&mut begun.fields);
            begun.settle();
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let around: Vec<_> =
            context.event_scope(event).into_iter().flatten().filter_map(|span| around(&span)).collect();
        // What is said of no work is for the log alone.
        if around.is_empty() {
            return;
        }
        let line = self.lines.line(event, &around);
        for outlet in &*self.outlets {
            outlet.push_line(line.clone());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(begun) = context.span(&id).and_then(|span| span.extensions_mut().remove::<Begun>()) else { return };
        if begun.kind == Kind::Invocation {
            return;
        }
        let span = begun.ended(SystemTime::now());
        for outlet in &*self.outlets {
            outlet.push_span(span.clone());
        }
    }
}

impl Begun {
    /// Takes its place below a span that it was opened in.
    fn below(&mut self, outer: &Self) {
        if outer.kind != Kind::Invocation {
            self.place = outer.place.with_span(self.place.span());
            self.parent = Some(outer.place.span());
            return;
        }
        let given = outer.fields.text("traceparent").and_then(|text| text.parse::<Traceparent>().ok());
        if let Some(invocation) = outer.fields.get("invocation") {
            self.fields.set("invocation", invocation.clone());
        }
        match given {
            // A run is a trace of its own; what made the host call is another one.
            Some(given) if self.kind == Kind::Delivery => self.link = Some(given),
            Some(given) => {
                self.place = given.with_span(self.place.span());
                self.parent = Some(given.span());
            }
            None => {}
        }
    }

    /// Takes the place that its own fields tell.
    fn settle(&mut self) {
        if self.kind == Kind::Invocation {
            return;
        }
        let own = self.fields.text("span").and_then(|text| u64::from_str_radix(&text, 16).ok());
        let given = self.fields.text("traceparent").and_then(|text| text.parse::<Traceparent>().ok());
        if let Some(given) = given {
            let span = own.unwrap_or(self.place.span());
            self.place = given.with_span(span);
            self.parent = Some(given.span()).filter(|parent| *parent != span);
        }
    }

    fn attributes(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.fields.iter().filter_map(|(name, value)| Some((attribute(name)?, value)))
    }

    fn ended(self, at: SystemTime) -> SpanData {
        let (trace, span) = ids(self.place);
        let field = |name: &str| self.fields.text(name);
        let status = match (self.kind.failed(field), self.kind) {
            (true, _) => Status::error(field("error").or_else(|| field("answer")).unwrap_or_default()),
            (false, Kind::Call) => Status::Ok,
            (false, _) => Status::Unset,
        };
        let mut links = SpanLinks::default();
        links.links.extend(self.link.map(|link| Link::with_context(context(link))));
        SpanData {
            span_context: SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: self.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_be_bytes())),
            parent_span_is_remote: self.kind != Kind::Call,
            span_kind: self.kind.role(),
            name: self.kind.title(field).into(),
            start_time: self.at,
            end_time: at,
            attributes: self.attributes().map(|(key, value)| KeyValue::new(key, value.clone())).collect(),
            dropped_attributes_count: 0,
            events: Default::default(),
            links,
            status,
            instrumentation_scope: scope(),
        }
    }
}

/// What a line inherits from a span around it.
fn around<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Around> {
    const OF_LINES: [&str; 5] = ["run", "pipeline", "phase", "attempt", "invocation"];
    let extensions = span.extensions();
    let begun = extensions.get::<Begun>()?;
    let place = (begun.kind != Kind::Invocation).then_some(begun.place);
    let inherited = begun.fields.iter().filter(|(name, _)| OF_LINES.contains(name));
    let attributes = inherited.filter_map(|(name, value)| Some((attribute(name)?, value.clone()))).collect();
    Some(Around { place, attributes })
}

fn context(place: Traceparent) -> SpanContext {
    let (trace, span) = ids(place);
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
}
