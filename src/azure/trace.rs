//! A call's span: who was called, how, and what came of it; never an address, which may hold a secret.

use reqwest::{RequestBuilder, Response, Result};
use tracing::Instrument;
use tracing::field::Empty;

/// Sends the request as `operation`.
pub(super) async fn send(operation: &'static str, request: RequestBuilder) -> Result<Response> {
    let (client, request) = request.build_split();
    let request = request?;
    let server = request.url().host_str().unwrap_or_default();
    let span =
        tracing::info_span!("call", operation, method = %request.method(), server, status = Empty, error = Empty);
    let answer = client.execute(request).instrument(span.clone()).await;
    match &answer {
        Ok(answer) => span.record("status", answer.status().as_u16()),
        Err(error) => span.record("error", if error.is_timeout() { "timed out" } else { "unreachable" }),
    };
    answer
}
