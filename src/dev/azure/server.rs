//! Connections and requests. A connection can be dropped without an answer, which is why hyper is served directly.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::faults::{RequestEffect, met_by_request};
use super::request::{Received, RequestRecord};
use super::world::Sim;
use super::{admin, arm, arm_headers, routes};

const LARGEST_BODY: usize = 1 << 30;

/// The answer is to close the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on request")]
struct Dropped;

/// Serves until it is dropped, its connections with it.
pub(super) async fn serve(listener: TcpListener, sim: Arc<Sim>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let sim = sim.clone();
                let service = service_fn(move |request| answer(sim.clone(), request));
                // An error ends this connection and concerns nobody else.
                connections.spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(sim: Arc<Sim>, request: Request<Incoming>) -> Result<Response, Dropped> {
    let path = request.uri().path().to_owned();
    let effect =
        if admin::owns(&path) { None } else { met_by_request(&mut sim.faults(), request.method().as_str(), &path) };
    let mut record = RequestRecord {
        method: request.method().to_string(),
        query: crate::model::redact(request.uri().query().unwrap_or_default()),
        path,
        status: None,
        fault: effect.as_ref().map(RequestEffect::name),
        client_request_id: header(&request, "x-ms-client-request-id"),
    };
    let admin = admin::owns(&record.path);
    let outcome = handle(&sim, request, effect.as_ref(), &record.path).await;
    record.status = outcome.as_ref().ok().map(|response| response.status().as_u16());
    if !admin {
        sim.requests().push(record);
    }
    outcome
}

async fn handle(
    sim: &Arc<Sim>,
    request: Request<Incoming>,
    effect: Option<&RequestEffect>,
    path: &str,
) -> Result<Response, Dropped> {
    if effect == Some(&RequestEffect::Drop) {
        return Err(Dropped);
    }
    if let Some(delay) = effect.and_then(RequestEffect::delay) {
        tokio::time::sleep(delay).await;
    }
    let (parts, body) = request.into_parts();
    let body = match axum::body::to_bytes(Body::new(body), LARGEST_BODY).await {
        Ok(body) => body,
        Err(_) => return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
    };
    let received = Received { parts, body };
    if let Some(response) = effect.and_then(|effect| effect.instead(path)) {
        return Ok(decorated(sim, &received, response));
    }
    let (sim, received) = (sim.clone(), Arc::new(received));
    let (answering, asked) = (sim.clone(), received.clone());
    let answered = tokio::task::spawn_blocking(move || routes::answer(&answering, &asked)).await;
    if let Some(delay) = effect.and_then(RequestEffect::late) {
        tokio::time::sleep(delay).await;
    }
    if let Some(response) = effect.and_then(|effect| effect.afterwards(path)) {
        return Ok(decorated(&sim, &received, response));
    }
    match answered {
        Ok(_) if effect == Some(&RequestEffect::LoseReply) => Err(Dropped),
        Ok(response) => Ok(response),
        Err(_) => Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}

/// A fault's answer with the headers of Resource Manager; a gateway's page comes from before it.
fn decorated(sim: &Sim, request: &Received, mut response: Response) -> Response {
    let page = response.headers().get("content-type").is_some_and(|kind| kind == "text/html");
    if arm::owns(request.path()) && !page {
        arm_headers::decorate(sim, request, response.headers_mut());
    }
    response
}

fn header(request: &Request<Incoming>, name: &str) -> Option<String> {
    Some(request.headers().get(name)?.to_str().ok()?.to_owned())
}
