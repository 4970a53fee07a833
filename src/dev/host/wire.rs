//! HTTP/1.1 on a socket, byte for byte: heads with the order and the spelling of their fields kept, bodies piece by piece.
//!
//! A general HTTP library normalises exactly what this host must reproduce (spelling, order, reason phrases).

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::heads::{FIELDS_LIMIT, REQUEST_LINE_LIMIT, RequestHead, ResponseHead, parse_request, parse_response};

const PIECE: usize = 64 * 1024;

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
