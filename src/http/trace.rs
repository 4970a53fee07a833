//! The span of a request: what the caller's trace is, and where the run that it may start belongs.

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::response::Response;
use tracing::Span;
use tracing::field::{Empty, display};

use super::error::ApiError;
use super::request_id::RequestId;
use crate::model::Traceparent;

const TRACEPARENT: &str = "traceparent";

/// A request as a part of a trace.
pub(super) struct Trace {
    /// What is done for the request lies below this.
    pub place: Traceparent,
    pub span: Span,
    method: String,
    route: Option<String>,
}

impl Trace {
    /// A caller's traceparent that is malformed is none.
    pub(super) fn of(request: &Request, id: &RequestId) -> Self {
        let given = given(request.headers());
        let place = match given {
            Some(given) => given.with_span(fastrand::u64(..)),
            None => Traceparent::new(fastrand::u128(..), fastrand::u64(..)),
        };
        let (traceparent, own) = (given.unwrap_or(place), format!("{:016x}", place.span()));
        // What the line at the boundary tells is recorded after it, so that inner lines are not told it either.
        let span = tracing::info_span!(
            "request", invocation = id.as_str(), %traceparent, span = %own, run = Empty, method = Empty, route = Empty,
            status = Empty, error = Empty
        );
        let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        Self { place, span, method: request.method().to_string(), route }
    }

    pub(super) fn answered(&self, response: &Response, error: Option<&ApiError>) {
        self.span.record("method", &self.method);
        if let Some(route) = &self.route {
            self.span.record("route", route);
        }
        self.span.record("status", response.status().as_u16());
        if let Some(error) = error.filter(|_| response.status().is_server_error()) {
            self.span.record("error", display(error.code()));
        }
    }
}

fn given(headers: &HeaderMap) -> Option<Traceparent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    // Two of them are a contradiction.
    let only = values.next().filter(|_| values.next().is_none())?;
    only.to_str().ok()?.trim().parse().ok()
}
