//! HTTP functions under the forwarding host: the request is taken apart and built anew, the answer is collected and
//! sent with its length. Every rule here is a capture.

use super::endpoint::{CallError, Reply, Upload};
use super::envelope::invocation_id;
use super::functions::Function;
use super::headers::{fold_request, is_entity};
use super::heads::{RequestHead, content_length, field};
use super::invoker::{AGENT, Invoker, VERSION};
use super::response::{Outcome, Response, length};
use super::uri::{encode_path, rebuild_query};
use super::wire::{Body, Wire};

/// The largest body that a client may send.
const BODY_LIMIT: u64 = 100 * 1024 * 1024;

/// Forwards one request. `path` is the decoded one; `body` is left where reading stopped.
pub async fn forward(
    invoker: &Invoker,
    function: &Function,
    request: &RequestHead,
    path: &str,
    client: &mut Wire,
    body: &mut Body,
) -> Outcome {
    let complain = |what: &str| invoker.voice.complain(&format!("function '{}' {what}", function.name));
    if field(&request.fields, "transfer-encoding").is_some() {
        complain(
            "was not called: the request is chunked, and the forwarding host loses such a body and answers 500. Send a \
             Content-Length",
        );
        return Response::failure().into();
    }
    if field(&request.fields, "host").is_none_or(<[u8]>::is_empty) {
        complain("was not called: the request has no Host, and the forwarding host answers 500 to it");
        return Response::failure().into();
    }
    let length = content_length(&request.fields).ok().flatten().unwrap_or(0);
    if length > BODY_LIMIT {
        complain("was not called: the request is larger than 100 MiB, and the host answers 500 to it");
        return Response { cut: true, ..Response::failure() }.into();
    }
    let Some(endpoint) = invoker.handler.ready().await else { return Response::failure().into() };
    let mut head = Vec::with_capacity(1024);
    write_head(&mut head, request, path, length);
    let upload = (length > 0).then_some(Upload { wire: client, body });
    let call = endpoint.call(&request.method, &mut head, upload);
    let outcome = invoker.bounded(function, &endpoint, call).await;
    match outcome {
        Some(Ok(reply)) => collected(&request.method, reply).into(),
        Some(Err(CallError::Client(_))) => Outcome::Gone,
        Some(Err(error)) => {
            complain(&format!("gave no whole answer: {error}. The client gets an empty 500"));
            Response::failure().into()
        }
        None => Response::failure().into(),
    }
}

/// The request as the handler gets it.
fn write_head(out: &mut Vec<u8>, request: &RequestHead, path: &str, length: u64) {
    let query = request.target.iter().position(|byte| *byte == b'?').map(|at| &request.target[at + 1..]);
    out.extend_from_slice(&request.method);
    out.push(b' ');
    out.extend_from_slice(encode_path(path).as_bytes());
    if let Some(query) = query {
        out.extend_from_slice(rebuild_query(&String::from_utf8_lossy(query)).as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut agent_sent = false;
    let mut content_type = None;
    for folded in fold_request(&request.fields) {
        if folded.is("content-type") {
            content_type = folded.values.first().copied();
        }
        if is_entity(&folded.name) {
            continue;
        }
        let is_agent = folded.is("user-agent");
        let between: &[u8] = match () {
            () if folded.is("cookie") => b"; ",
            () if is_agent => b" ",
            () => b", ",
        };
        out.extend_from_slice(&folded.name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(&folded.values.join(between));
        if is_agent {
            agent_sent = true;
            out.push(b' ');
            out.extend_from_slice(AGENT.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    put(out, "X-Azure-Functions-HostVersion", VERSION.as_bytes());
    put(out, "X-Azure-Functions-InvocationId", invocation_id().as_bytes());
    if !agent_sent {
        put(out, "User-Agent", AGENT.as_bytes());
    }
    if length > 0 {
        put(out, "Content-Length", length.to_string().as_bytes());
        if let Some(content_type) = content_type {
            put(out, "Content-Type", content_type);
        }
    } else if !matches!(&*request.method, b"GET" | b"HEAD" | b"DELETE" | b"OPTIONS" | b"CONNECT") {
        put(out, "Content-Length", b"0");
    }
    out.extend_from_slice(b"\r\n");
}

fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The answer as the client gets it: complete and with a length.
fn collected(method: &[u8], reply: Reply) -> Response {
    let Reply { status, reason, fields, body } = reply;
    let bodiless = method == b"HEAD" || status == 204 || status == 304;
    let announced = fields.iter().any(|field| field.is("content-length"));
    let mut kept: Vec<_> = fields
        .into_iter()
        .filter(|field| !field.is("transfer-encoding") && (!field.is("content-length") || bodiless && status != 204))
        .map(|field| (field.name, field.value))
        .collect();
    if !bodiless || status == 304 && !announced {
        kept.push(length(body.len()));
    }
    let response = Response { status, reason, fields: kept, body, chunked: false, cut: false };
    if status == 205 && !response.body.is_empty() {
        // The web server refuses a body there when the head is already made.
        return Response { status: 500, body: bytes::Bytes::new(), cut: true, ..response };
    }
    response
}
