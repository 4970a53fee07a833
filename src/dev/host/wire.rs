//! HTTP/1.1 on a socket, byte for byte: heads with the order and the spelling of their fields kept, bodies piece by piece.
//!
//! A general HTTP library normalises exactly what this host must reproduce (spelling, order, reason phrases).

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes of a request line, its line break included, that the measured host still reads.
pub const REQUEST_LINE_LIMIT: usize = 8 * 1024;
/// Bytes of all header fields together.
const FIELDS_LIMIT: usize = 32 * 1024;
const MAX_FIELDS: usize = 100;
const PIECE: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub struct Field {
    pub name: Bytes,
    pub value: Bytes,
}

impl Field {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The first field of that name, blanks around its value removed.
pub fn field<'a>(fields: &'a [Field], name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|field| field.is(name)).map(|field| field.value.trim_ascii())
}

/// Whether a comma-separated field lists `token`.
pub fn lists(fields: &[Field], name: &str, token: &str) -> bool {
    fields
        .iter()
        .filter(|field| field.is(name))
        .flat_map(|field| field.value.split(|byte| *byte == b','))
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[derive(Debug)]
pub struct RequestHead {
    pub method: Bytes,
    pub target: Bytes,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor: u8,
    pub fields: Vec<Field>,
}

#[derive(Debug)]
pub struct ResponseHead {
    pub status: u16,
    pub reason: Bytes,
    pub minor: u8,
    pub fields: Vec<Field>,
}

#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the other side closed the connection")]
    Closed,
    #[error("that is no HTTP/1.1: {0}")]
    Malformed(String),
    #[error("the request line is longer than {REQUEST_LINE_LIMIT} bytes")]
    LineTooLong,
    #[error("the header fields are too many or too long")]
    FieldsTooLarge,
}

/// How far a body is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    Done,
    Remaining(u64),
    /// Before the size line of the next chunk.
    ChunkSize,
    /// Inside a chunk, with so many bytes to come.
    Chunk(u64),
    Trailers,
    UntilClose,
}

/// A connection with what was read of it and not yet used.
pub struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        // Small requests and answers must not wait for each other; a socket that cannot be told so still works.
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: BytesMut::with_capacity(4096) }
    }

    pub fn peer(&self) -> Option<std::net::SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Whether something of the next message is already here.
    pub fn has_buffered(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Whether the other side still holds an idle connection open, as far as is known without waiting.
    pub fn is_idle_and_open(&self) -> bool {
        let mut probe = [0_u8; 1];
        self.buffer.is_empty()
            && matches!(self.stream.try_read(&mut probe), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn fill(&mut self) -> Result<usize, WireError> {
        self.buffer.reserve(PIECE.min(self.buffer.len().max(4096)));
        Ok(self.stream.read_buf(&mut self.buffer).await?)
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Tells the other side that nothing follows, and reads away what it still sends for a moment, so that
    /// closing does not reset the connection under an answer that is on its way.
    pub async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        let drain = async {
            let mut sink = [0_u8; 4096];
            while matches!(self.stream.read(&mut sink).await, Ok(read) if read > 0) {}
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), drain).await;
    }

    /// The next request, or none when the other side closed between two of them.
    pub async fn read_request(&mut self) -> Result<Option<RequestHead>, WireError> {
        loop {
            if let Some(head) = parse_request(&mut self.buffer)? {
                return Ok(Some(head));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(WireError::Closed) };
            }
        }
    }

    /// The next answer that is final; interim ones (1xx) are passed over.
    pub async fn read_response(&mut self) -> Result<ResponseHead, WireError> {
        loop {
            if let Some(head) = parse_response(&mut self.buffer)? {
                if !(100..200).contains(&head.status) || head.status == 101 {
                    return Ok(head);
                }
            } else if self.fill().await? == 0 {
                return Err(WireError::Closed);
            }
        }
    }

    /// The next piece of a body, at most `limit` bytes; none at its end.
    pub async fn read_piece(&mut self, body: &mut Body, limit: usize) -> Result<Option<Bytes>, WireError> {
        loop {
            match *body {
                Body::Done => return Ok(None),
                Body::Remaining(0) => *body = Body::Done,
                Body::Remaining(left) | Body::Chunk(left) if left > 0 => {
                    if self.buffer.is_empty() && self.fill().await? == 0 {
                        return Err(WireError::Closed);
                    }
                    let take = self.buffer.len().min(limit).min(usize::try_from(left).unwrap_or(usize::MAX));
                    let left = left - take as u64;
                    *body = if matches!(body, Body::Chunk(_)) { Body::Chunk(left) } else { Body::Remaining(left) };
                    return Ok(Some(self.buffer.split_to(take).freeze()));
                }
                Body::Remaining(_) | Body::Chunk(_) => {
                    self.need(2).await?;
                    if !self.buffer.starts_with(b"\r\n") {
                        return Err(WireError::Malformed("a chunk is longer than its size says".to_owned()));
                    }
                    self.buffer.advance(2);
                    *body = Body::ChunkSize;
                }
                Body::ChunkSize => match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete((used, size))) => {
                        self.buffer.advance(used);
                        *body = if size == 0 { Body::Trailers } else { Body::Chunk(size) };
                    }
                    Ok(httparse::Status::Partial) => self.need(self.buffer.len() + 1).await?,
                    Err(_) => return Err(WireError::Malformed("a chunk without a size".to_owned())),
                },
                Body::Trailers => match self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                    Some(0) => {
                        self.buffer.advance(2);
                        *body = Body::Done;
                    }
                    Some(end) => self.buffer.advance(end + 2),
                    None if self.buffer.len() > FIELDS_LIMIT => return Err(WireError::FieldsTooLarge),
                    None => self.need(self.buffer.len() + 1).await?,
                },
                Body::UntilClose => {
                    if self.buffer.is_empty() && self.fill().await? == 0 {
                        *body = Body::Done;
                        return Ok(None);
                    }
                    let take = self.buffer.len().min(limit);
                    return Ok(Some(self.buffer.split_to(take).freeze()));
                }
            }
        }
    }

    async fn need(&mut self, bytes: usize) -> Result<(), WireError> {
        while self.buffer.len() < bytes {
            if self.fill().await? == 0 {
                return Err(WireError::Closed);
            }
        }
        Ok(())
    }

    /// A whole body.
    pub async fn read_all(&mut self, mut body: Body) -> Result<Bytes, WireError> {
        if let Body::Remaining(length) = body {
            let length = usize::try_from(length).map_err(|_| WireError::Malformed("a body without end".to_owned()))?;
            self.buffer.reserve(length.saturating_sub(self.buffer.len()));
            self.need(length).await?;
            return Ok(self.buffer.split_to(length).freeze());
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = self.read_piece(&mut body, PIECE).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// The body that a request's fields announce.
pub fn request_body(fields: &[Field]) -> Result<Body, WireError> {
    if fields.iter().any(|field| field.is("transfer-encoding")) {
        return Ok(Body::ChunkSize);
    }
    Ok(content_length(fields)?.map_or(Body::Done, Body::Remaining))
}

/// The body that follows an answer to `method`.
pub fn response_body(head: &ResponseHead, method: &[u8]) -> Result<Body, WireError> {
    if method == b"HEAD" || matches!(head.status, 100..=199 | 204 | 304) {
        return Ok(Body::Done);
    }
    if lists(&head.fields, "transfer-encoding", "chunked") {
        return Ok(Body::ChunkSize);
    }
    Ok(content_length(&head.fields)?.map_or(Body::UntilClose, Body::Remaining))
}

pub fn content_length(fields: &[Field]) -> Result<Option<u64>, WireError> {
    let mut found = None;
    for field in fields.iter().filter(|field| field.is("content-length")) {
        let text = std::str::from_utf8(field.value.trim_ascii()).unwrap_or_default();
        let length = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        if length.is_none() || found.is_some() {
            return Err(WireError::Malformed("Content-Length is no single number".to_owned()));
        }
        found = length;
    }
    Ok(found)
}

fn parse_request(buffer: &mut BytesMut) -> Result<Option<RequestHead>, WireError> {
    let line = buffer.iter().take(REQUEST_LINE_LIMIT).position(|byte| *byte == b'\n');
    if line.is_none() && buffer.len() >= REQUEST_LINE_LIMIT {
        return Err(WireError::LineTooLong);
    }
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut slots);
    let length = match request.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if buffer.len() > REQUEST_LINE_LIMIT + FIELDS_LIMIT => {
            return Err(WireError::FieldsTooLarge);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(WireError::FieldsTooLarge),
        Err(error) => return Err(WireError::Malformed(error.to_string())),
    };
    let minor = request.version.unwrap_or(1);
    let method = span(buffer, request.method.unwrap_or_default().as_bytes());
    let target = span(buffer, request.path.unwrap_or_default().as_bytes());
    let spans: Vec<_> =
        request.headers.iter().map(|h| (span(buffer, h.name.as_bytes()), span(buffer, h.value))).collect();
    let head = buffer.split_to(length).freeze();
    Ok(Some(RequestHead { method: head.slice(method), target: head.slice(target), minor, fields: cut(&head, spans) }))
}

fn parse_response(buffer: &mut BytesMut) -> Result<Option<ResponseHead>, WireError> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut slots);
    let length = match response.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(WireError::Malformed(error.to_string())),
    };
    let (status, minor) = (response.code.unwrap_or_default(), response.version.unwrap_or(1));
    let reason = span(buffer, response.reason.unwrap_or_default().as_bytes());
    let spans: Vec<_> =
        response.headers.iter().map(|h| (span(buffer, h.name.as_bytes()), span(buffer, h.value))).collect();
    let head = buffer.split_to(length).freeze();
    Ok(Some(ResponseHead { status, reason: head.slice(reason), minor, fields: cut(&head, spans) }))
}

type Span = std::ops::Range<usize>;

/// Where `part` lies in `whole`; empty for a part that the parser made up (an absent reason phrase).
fn span(whole: &[u8], part: &[u8]) -> Span {
    let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    if offset.saturating_add(part.len()) <= whole.len() { offset..offset + part.len() } else { 0..0 }
}

fn cut(head: &Bytes, spans: Vec<(Span, Span)>) -> Vec<Field> {
    spans.into_iter().map(|(name, value)| Field { name: head.slice(name), value: head.slice(value) }).collect()
}
