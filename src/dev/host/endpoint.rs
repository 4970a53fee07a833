//! One life of the handler process, as an address with connections that are kept open.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::net::TcpStream;

use super::heads::{Field, ResponseHead, lists, response_body};
use super::wire::{Body, Wire, WireError};

/// Idle connections that are kept; more are closed.
const KEPT: usize = 256;
const PIECE: usize = 64 * 1024;

pub struct Endpoint {
    address: SocketAddr,
    /// `127.0.0.1:<port>`, the Host of invocations.
    pub authority: String,
    idle: Mutex<Vec<Wire>>,
}

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("nothing listens on the handler's port: {0}")]
    Connect(std::io::Error),
    /// The handler hung up, or said something that is no HTTP, before its answer was complete.
    #[error("the handler's answer broke off: {0}")]
    Broken(WireError),
    /// The client's body could not be read to its end.
    #[error("the client's body broke off: {0}")]
    Client(WireError),
}

/// A handler's whole answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub reason: Bytes,
    pub fields: Vec<Field>,
    pub body: Bytes,
}

/// A request body that is still on its way from a client.
pub struct Upload<'a> {
    pub wire: &'a mut Wire,
    pub body: &'a mut Body,
}

/// An answer whose body is yet to be read.
pub struct Opened {
    pub wire: Wire,
    pub head: ResponseHead,
    pub body: Body,
    keep: bool,
}

impl Endpoint {
    pub fn new(port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { address, authority: address.to_string(), idle: Mutex::default() }
    }

    async fn connection(&self) -> Result<(Wire, bool), CallError> {
        let open = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            std::iter::from_fn(|| idle.pop()).find(Wire::is_idle_and_open)
        };
        match open {
            Some(wire) => Ok((wire, true)),
            None => Ok((Wire::new(TcpStream::connect(self.address).await.map_err(CallError::Connect)?), false)),
        }
    }

    /// Gives a connection back whose answer was read to its end.
    pub fn finish(&self, opened: Opened) {
        if opened.keep && opened.body == Body::Done {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < KEPT {
                idle.push(opened.wire);
            }
        }
    }

    /// Sends a request and waits for the head of the answer. `head` ends with an empty line, or holds the whole body too.
    ///
    /// A kept connection may have been closed by the handler meanwhile: a request that only reads is then sent once
    /// more on a new one. An invocation never is: the handler may have died of it.
    pub async fn open(
        &self,
        method: &[u8],
        head: &mut Vec<u8>,
        mut upload: Option<Upload<'_>>,
        framing: Framing,
    ) -> Result<Opened, CallError> {
        if let Some(upload) = &mut upload {
            // What is already here goes out with the head.
            if upload.wire.has_buffered() {
                let piece = upload.wire.read_piece(upload.body, PIECE).await.map_err(CallError::Client)?;
                framing.append(head, piece.as_deref());
            }
        }
        let only_reads = upload.is_none() && matches!(method, b"GET" | b"HEAD" | b"OPTIONS");
        loop {
            let (wire, reused) = self.connection().await?;
            match exchange(wire, method, head, &mut upload, framing).await {
                Err(CallError::Broken(WireError::Closed | WireError::Io(_))) if reused && only_reads => {}
                other => return other,
            }
        }
    }

    /// As [`Self::open`], with the whole answer.
    pub async fn call(
        &self,
        method: &[u8],
        head: &mut Vec<u8>,
        upload: Option<Upload<'_>>,
    ) -> Result<Reply, CallError> {
        let mut opened = self.open(method, head, upload, Framing::Length).await?;
        let body = opened.wire.read_all(opened.body).await.map_err(CallError::Broken)?;
        let ResponseHead { status, reason, fields, .. } = std::mem::replace(&mut opened.head, ResponseHead::empty());
        opened.body = Body::Done;
        self.finish(opened);
        Ok(Reply { status, reason, fields, body })
    }
}

impl ResponseHead {
    fn empty() -> Self {
        Self { status: 0, reason: Bytes::new(), minor: 1, fields: Vec::new() }
    }
}

/// How an upload is written to the handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    Length,
    Chunked,
}

impl Framing {
    /// Appends a piece, or with none the end of the body.
    pub fn append(self, out: &mut Vec<u8>, piece: Option<&[u8]>) {
        match (self, piece) {
            (Self::Length, Some(piece)) => out.extend_from_slice(piece),
            (Self::Length, None) => {}
            (Self::Chunked, Some(piece)) => {
                out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\r\n");
            }
            (Self::Chunked, None) => out.extend_from_slice(b"0\r\n\r\n"),
        }
    }
}

async fn exchange(
    mut wire: Wire,
    method: &[u8],
    head: &[u8],
    upload: &mut Option<Upload<'_>>,
    framing: Framing,
) -> Result<Opened, CallError> {
    wire.write(head).await.map_err(CallError::Broken)?;
    let mut sent = true;
    if let Some(Upload { wire: client, body }) = upload {
        let mut out = Vec::new();
        while **body != Body::Done {
            let piece = client.read_piece(body, PIECE).await.map_err(CallError::Client)?;
            out.clear();
            framing.append(&mut out, piece.as_deref());
            // A handler may answer and hang up before it has read everything: then its answer counts.
            if wire.write(&out).await.is_err() {
                sent = false;
                break;
            }
        }
    }
    let head = wire.read_response().await.map_err(CallError::Broken)?;
    let body = response_body(&head, method).map_err(CallError::Broken)?;
    let keep = sent && head.minor == 1 && body != Body::UntilClose && !lists(&head.fields, "connection", "close");
    Ok(Opened { wire, head, body, keep })
}
