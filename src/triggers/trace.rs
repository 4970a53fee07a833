//! The spans of an invocation, of which the host says what it is a part of.

use axum::http::HeaderMap;
use tracing::Span;
use tracing::field::{Empty, display};

use crate::model::Traceparent;

/// The header in which the Functions host names the invocation.
const INVOCATION_ID: &str = "x-azure-functions-invocationid";
const TRACEPARENT: &str = "traceparent";
const LONGEST_ID: usize = 64;

/// What the host says of an invocation.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    id: Option<&'a str>,
    traceparent: Option<Traceparent>,
}

impl<'a> Told<'a> {
    pub fn by(headers: &'a HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let fits = |id: &&str| id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        Self { id: text(INVOCATION_ID).filter(fits), traceparent: text(TRACEPARENT).and_then(|text| text.parse().ok()) }
    }

    /// What all spans and lines of the invocation have in common.
    pub fn span(self) -> Span {
        let span = tracing::info_span!("invocation", invocation = Empty, traceparent = Empty);
        if let Some(id) = self.id {
            span.record("invocation", id);
        }
        if let Some(traceparent) = self.traceparent {
            span.record("traceparent", display(traceparent));
        }
        span
    }

    /// The place of a span that begins here, and the two fields that tell it.
    pub fn place(self) -> Place {
        let own = match self.traceparent {
            Some(given) => given.with_span(fastrand::u64(..)),
            None => Traceparent::new(fastrand::u128(..), fastrand::u64(..)),
        };
        Place { own, below: self.traceparent.unwrap_or(own) }
    }
}

/// Where a span is in its trace.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub own: Traceparent,
    /// The host's span, or the span itself.
    pub below: Traceparent,
}

impl Place {
    pub fn id(self) -> String {
        format!("{:016x}", self.own.span())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn place(traceparent: &'static str) -> Place {
        let headers = HeaderMap::from_iter([("traceparent".parse().unwrap(), traceparent.parse().unwrap())]);
        Told::by(&headers).place()
    }

    #[test]
    fn what_the_host_says_is_what_a_span_lies_below() {
        let place = place(GIVEN);
        assert_eq!(place.below.to_string(), GIVEN);
        assert_eq!(place.own.trace(), place.below.trace());
        assert_ne!(place.own.span(), place.below.span());
    }

    #[test]
    fn a_malformed_traceparent_is_none() {
        let place = place("00-0af7-b7ad-01");
        assert_eq!(place.own, place.below);
    }
}
