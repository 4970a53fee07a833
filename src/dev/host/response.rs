//! What a client of the host gets.

use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use time::OffsetDateTime;

use super::headers::order_response;
use super::moment::http_date;

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub reason: Bytes,
    /// In any order; a Content-Length among them where the client gets one.
    pub fields: Vec<(Bytes, Bytes)>,
    pub body: Bytes,
    /// Sent in chunks instead of with a length.
    pub chunked: bool,
    /// The connection ends with this answer, whatever its fields say.
    pub cut: bool,
}

/// What becomes of a request.
pub enum Outcome {
    /// This is to be sent.
    Answer(Response),
    /// The answer was streamed already; the flag tells whether the connection can be used again.
    Streamed(bool),
    /// The client is gone: nobody is answered.
    Gone,
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self::Answer(response)
    }
}

impl Response {
    /// The host's own answer without a body.
    pub fn empty(status: u16, reason: &'static str) -> Self {
        Self {
            status,
            reason: Bytes::from_static(reason.as_bytes()),
            fields: vec![text("Content-Length", "0")],
            body: Bytes::new(),
            chunked: false,
            cut: false,
        }
    }

    pub fn failure() -> Self {
        Self::empty(500, "Internal Server Error")
    }

    pub fn with_body(content_type: &'static str, body: String) -> Self {
        let body = Bytes::from(body);
        let fields = vec![text("Content-Type", content_type), length(body.len())];
        Self { status: 200, reason: Bytes::from_static(b"OK"), fields, body, chunked: false, cut: false }
    }

    /// Writes it, fields in the web server's order, and returns the body that is to follow. `closing`: this is the
    /// connection's last answer. `bare`: the client asked for no body.
    pub fn write(self, out: &mut Vec<u8>, closing: bool, bare: bool) -> Bytes {
        let Self { status, reason, fields, body, chunked, .. } = self;
        let bare = bare || status == 204 || status == 304;
        write_head(out, status, &reason, fields, chunked && !bare, closing);
        if bare {
            return Bytes::new();
        }
        if chunked {
            out.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
            out.extend_from_slice(&body);
            out.extend_from_slice(b"\r\n0\r\n\r\n");
            return Bytes::new();
        }
        body
    }
}

pub fn text(name: &'static str, value: &'static str) -> (Bytes, Bytes) {
    (Bytes::from_static(name.as_bytes()), Bytes::from_static(value.as_bytes()))
}

pub fn length(length: usize) -> (Bytes, Bytes) {
    (Bytes::from_static(b"Content-Length"), Bytes::from(length.to_string()))
}

pub fn write_head(
    out: &mut Vec<u8>,
    status: u16,
    reason: &[u8],
    mut fields: Vec<(Bytes, Bytes)>,
    chunked: bool,
    closing: bool,
) {
    let has = |name: &str| fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
    let (dated, served, connected) = (has("date"), has("server"), has("connection"));
    if !dated {
        fields.push((Bytes::from_static(b"Date"), date()));
    }
    if !served {
        fields.push(text("Server", "Kestrel"));
    }
    if closing && !connected {
        fields.push(text("Connection", "close"));
    }
    if chunked {
        fields.push(text("Transfer-Encoding", "chunked"));
    }
    out.extend_from_slice(format!("HTTP/1.1 {status} ").as_bytes());
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
    for (name, value) in order_response(fields.into_iter()) {
        out.extend_from_slice(&name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(&value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// The Date of an answer, made once a second.
fn date() -> Bytes {
    static LAST: Mutex<(i64, Bytes)> = Mutex::new((0, Bytes::new()));
    let now = OffsetDateTime::now_utc();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.0 != now.unix_timestamp() {
        *last = (now.unix_timestamp(), Bytes::from(http_date(now)));
    }
    last.1.clone()
}
