//! The heads of requests and answers, with the order and the spelling of their fields kept.

use bytes::{Bytes, BytesMut};

use super::wire::{Body, WireError};

/// Bytes of a request line, its line break included, that the measured host still reads.
pub const REQUEST_LINE_LIMIT: usize = 8 * 1024;
/// Bytes of all header fields together.
pub const FIELDS_LIMIT: usize = 32 * 1024;
const MAX_FIELDS: usize = 100;

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

/// Takes a request's head off the front of the buffer; none while it is not complete.
pub fn parse_request(buffer: &mut BytesMut) -> Result<Option<RequestHead>, WireError> {
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

/// As [`parse_request`], for an answer.
pub fn parse_response(buffer: &mut BytesMut) -> Result<Option<ResponseHead>, WireError> {
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
