//! The host's own port: reads requests, finds their function, answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::forward::forward;
use super::functions::Function;
use super::heads::{RequestHead, lists, request_body};
use super::invoker::Invoker;
use super::proxy::proxy;
use super::response::{Outcome, Response};
use super::routes::{Parameters, Routes};
use super::unforwarded;
use super::uri::decode_path;
use super::wire::{Body, Wire, WireError};

/// How HTTP functions get their requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passing {
    Forwarding,
    Proxying,
    /// As invocations; functions with other outputs always do.
    Invoking,
}

pub struct Server {
    pub routes: Routes,
    pub passing: Passing,
    pub invoker: Arc<Invoker>,
    pub admin: Admin,
    pub closing: CancellationToken,
}

/// A body that nobody read is read away, up to so long, to keep the connection.
const DRAIN: Duration = Duration::from_secs(5);
/// Bodies up to here go out in one write with their head.
const ONE_WRITE: usize = 16 * 1024;
const PIECE: usize = 64 * 1024;

impl Server {
    /// Serves one connection until either side ends it.
    pub async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut client = Wire::new(stream);
        let mut out = Vec::with_capacity(4096);
        loop {
            let request = match self.closing.run_until_cancelled(client.read_request()).await {
                Some(Ok(Some(request))) => request,
                Some(Err(error)) => {
                    if let Some(refusal) = refusal(&error) {
                        let _ = refusal.write(&mut out, true, false);
                        let _ = client.write(&out).await;
                        client.close().await;
                    }
                    return;
                }
                Some(Ok(None)) | None => return,
            };
            let mut body = Body::Done;
            let last = request.minor == 0 || lists(&request.fields, "connection", "close");
            let response = match self.answer(&request, &mut client, &mut body, last).await {
                Outcome::Answer(response) => response,
                Outcome::Streamed(true) if !last && self.drained(&mut client, &mut body).await => continue,
                Outcome::Streamed(_) => return client.close().await,
                Outcome::Gone => return,
            };
            let said = response.fields.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case(b"connection") && value.trim_ascii().eq_ignore_ascii_case(b"close")
            });
            let last = last || response.cut || said || self.closing.is_cancelled();
            out.clear();
            let content = response.write(&mut out, last, &*request.method == b"HEAD");
            let written = if content.len() <= ONE_WRITE {
                out.extend_from_slice(&content);
                client.write(&out).await
            } else {
                match client.write(&out).await {
                    Ok(()) => client.write(&content).await,
                    failed => failed,
                }
            };
            if written.is_err() {
                return;
            }
            if last || !self.drained(&mut client, &mut body).await {
                return client.close().await;
            }
        }
    }

    /// Whether the rest of a body could be read away.
    async fn drained(&self, client: &mut Wire, body: &mut Body) -> bool {
        let rest = async { while let Ok(Some(_)) = client.read_piece(body, PIECE).await {} };
        tokio::time::timeout(DRAIN, rest).await.is_ok() && *body == Body::Done
    }

    async fn answer(&self, request: &RequestHead, client: &mut Wire, body: &mut Body, last: bool) -> Outcome {
        let bad = || Outcome::Answer(Response { cut: true, ..Response::empty(400, "Bad Request") });
        let hosts = request.fields.iter().filter(|field| field.is("host")).count();
        if hosts > 1 || hosts == 0 && request.minor > 0 {
            return bad();
        }
        let Ok(announced) = request_body(&request.fields) else { return bad() };
        *body = announced;
        let Some(path) = decode_path(raw_path(&request.target)).filter(|_| request.target.is_ascii()) else {
            return bad();
        };
        let method = String::from_utf8_lossy(&request.method);
        if self.admin.owns(&path) {
            return Outcome::Answer(self.admin.answer(&method, &path, client, body).await);
        }
        let Some((function, parameters)) = self.routes.find(&method, &path) else {
            return Outcome::Answer(match &*path {
                "/" => Response::with_body("text/html", super::admin::WELCOME.to_owned()),
                _ => Response::empty(404, "Not Found"),
            });
        };
        // Its route stays its own: no other function is asked instead.
        if function.disabled {
            return Outcome::Answer(Response::empty(404, "Not Found"));
        }
        if *body != Body::Done && !client.has_buffered() && lists(&request.fields, "expect", "100-continue") {
            let _ = client.write(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        }
        self.call(function, &parameters, request, &path, client, body, last).await
    }

    #[expect(clippy::too_many_arguments, reason = "one request's parts, borrowed apart")]
    async fn call(
        &self,
        function: &Function,
        parameters: &Parameters,
        request: &RequestHead,
        path: &str,
        client: &mut Wire,
        body: &mut Body,
        last: bool,
    ) -> Outcome {
        let invoker = &self.invoker;
        match self.passing {
            Passing::Forwarding if function.is_plain_http() => {
                forward(invoker, function, request, path, client, body).await
            }
            Passing::Proxying if function.is_plain_http() => {
                proxy(invoker, function, request, client, body, last || self.closing.is_cancelled()).await
            }
            _ => Outcome::Answer(unforwarded::invoke(invoker, function, request, parameters, client, body).await),
        }
    }
}

/// The path in a request's target, be it alone or behind a scheme and a host.
fn raw_path(target: &[u8]) -> &[u8] {
    let path = match target.windows(3).position(|window| window == b"://") {
        Some(at) if !target.starts_with(b"/") => {
            let behind = &target[at + 3..];
            behind.iter().position(|byte| *byte == b'/').map_or(&b"/"[..], |slash| &behind[slash..])
        }
        _ => target,
    };
    path.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// What a request that cannot be read is answered with; none if nobody is there to read it.
fn refusal(error: &WireError) -> Option<Response> {
    match error {
        WireError::Malformed(_) => Some(Response::empty(400, "Bad Request")),
        WireError::LineTooLong => Some(Response::empty(414, "URI Too Long")),
        WireError::FieldsTooLarge => Some(Response::empty(431, "Request Header Fields Too Large")),
        WireError::Io(_) | WireError::Closed => None,
    }
}
