//! HTTP functions under the proxying host: both bodies stream, the address passes verbatim.
//!
//! Read in the host's public sources, not measured: hop-by-hop fields and the Host are dropped, `X-Forwarded-*` is
//! overwritten, a connection error is tried again, and 240 s without a byte end the exchange.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use super::endpoint::{CallError, Framing, Opened, Upload};
use super::envelope::invocation_id;
use super::functions::Function;
use super::heads::{RequestHead, field};
use super::invoker::Invoker;
use super::response::{Outcome, Response, write_head};
use super::wire::{Body, Wire};

const IDLE_LIMIT: Duration = Duration::from_secs(240);
const TRIES: u32 = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const PIECE: usize = 64 * 1024;
const HOP_BY_HOP: &[&str] =
    &["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "trailer"];

pub async fn proxy(
    invoker: &Invoker,
    function: &Function,
    request: &RequestHead,
    client: &mut Wire,
    body: &mut Body,
    closing: bool,
) -> Outcome {
    let complain = |what: &str| invoker.voice.complain(&format!("function '{}' {what}", function.name));
    let Some(endpoint) = invoker.handler.ready().await else { return Outcome::Answer(Response::failure()) };
    let framing = if *body == Body::ChunkSize { Framing::Chunked } else { Framing::Length };
    let mut head = request_head(request, client, &endpoint.authority, framing);
    let exchange = async {
        let mut tries = 0;
        loop {
            let upload = (*body != Body::Done).then_some(Upload { wire: &mut *client, body: &mut *body });
            match endpoint.open(&request.method, &mut head, upload, framing).await {
                Err(CallError::Connect(_)) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                other => break other,
            }
        }
    };
    let opened = match invoker.bounded(function, &endpoint, tokio::time::timeout(IDLE_LIMIT, exchange)).await {
        Some(Ok(Ok(opened))) => opened,
        Some(Ok(Err(CallError::Client(_)))) => return Outcome::Gone,
        Some(Ok(Err(error))) => {
            complain(&format!("gave no answer: {error}. The client gets an empty 502"));
            return Outcome::Answer(Response { cut: true, ..Response::empty(502, "Bad Gateway") });
        }
        Some(Err(_)) => {
            complain("gave no byte for 240 s. The client gets an empty 504");
            return Outcome::Answer(Response { cut: true, ..Response::empty(504, "Gateway Timeout") });
        }
        None => return Outcome::Answer(Response { cut: true, ..Response::failure() }),
    };
    let stream = invoker.bounded(function, &endpoint, stream(opened, client, closing)).await;
    match stream {
        Some(Ok(opened)) => {
            endpoint.finish(opened);
            Outcome::Streamed(true)
        }
        Some(Err(Some(error))) => {
            complain(&format!("broke its answer off: {error}. The client's connection is cut"));
            Outcome::Streamed(false)
        }
        Some(Err(None)) | None => Outcome::Streamed(false),
    }
}

fn request_head(request: &RequestHead, client: &Wire, authority: &str, framing: Framing) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut put = |name: &[u8], value: &[u8]| {
        for part in [name, b": ", value, b"\r\n"] {
            out.extend_from_slice(part);
        }
    };
    let host = field(&request.fields, "host").unwrap_or_default();
    put(b"Host", authority.as_bytes());
    for header in &request.fields {
        let own = header.is("host")
            || header.is("x-ms-invocation-id")
            || header.name.to_ascii_lowercase().starts_with(b"x-forwarded-");
        if !own && !HOP_BY_HOP.iter().any(|name| header.is(name)) {
            put(&header.name, &header.value);
        }
    }
    put(b"x-ms-invocation-id", invocation_id().as_bytes());
    if let Some(peer) = client.peer() {
        put(b"X-Forwarded-For", peer.ip().to_string().as_bytes());
    }
    put(b"X-Forwarded-Host", host);
    put(b"X-Forwarded-Proto", b"http");
    if framing == Framing::Chunked {
        put(b"Transfer-Encoding", b"chunked");
    }
    let mut head = Vec::with_capacity(out.len() + request.target.len() + 32);
    for part in [&*request.method, b" ", &*request.target, b" HTTP/1.1\r\n", &*out, b"\r\n"] {
        head.extend_from_slice(part);
    }
    head
}

/// Passes the answer on as it comes. Err(None): the client is gone.
async fn stream(mut opened: Opened, client: &mut Wire, closing: bool) -> Result<Opened, Option<String>> {
    let framing = match opened.body {
        Body::ChunkSize | Body::UntilClose => Framing::Chunked,
        _ => Framing::Length,
    };
    let fields: Vec<(Bytes, Bytes)> = opened
        .head
        .fields
        .iter()
        .filter(|field| !HOP_BY_HOP.iter().any(|name| field.is(name)))
        .map(|field| (field.name.clone(), field.value.clone()))
        .collect();
    let mut out = Vec::with_capacity(1024);
    let chunked = framing == Framing::Chunked;
    write_head(&mut out, opened.head.status, &opened.head.reason, fields, chunked, closing);
    while opened.body != Body::Done {
        let mut next = pin!(opened.wire.read_piece(&mut opened.body, PIECE));
        // What is here goes out together; before waiting for more, it goes out.
        let piece = match futures::poll!(&mut next) {
            Poll::Ready(piece) => Ok(piece),
            Poll::Pending => {
                client.write(&out).await.map_err(|_| None)?;
                out.clear();
                tokio::time::timeout(IDLE_LIMIT, next).await
            }
        };
        match piece {
            Ok(Ok(piece)) => framing.append(&mut out, piece.as_deref()),
            Ok(Err(error)) => {
                let _ = client.write(&out).await;
                return Err(Some(error.to_string()));
            }
            Err(_) => return Err(Some("no byte for 240 s".to_owned())),
        }
        if out.len() > PIECE {
            client.write(&out).await.map_err(|_| None)?;
            out.clear();
        }
    }
    client.write(&out).await.map_err(|_| None)?;
    Ok(opened)
}
