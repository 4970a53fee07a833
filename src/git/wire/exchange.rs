//! A question and its answer, in the shapes that gix writes and reads.

use std::io::{self, BufRead, Read, Write};
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{Shared, Wire, lock};

fn header_map(lines: impl IntoIterator<Item = impl AsRef<str>>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines {
        if let Some((name, value)) = line.as_ref().split_once(':')
            && let Ok(name) = HeaderName::try_from(name.trim())
            && let Ok(value) = HeaderValue::from_str(value.trim())
        {
            map.append(name, value);
        }
    }
    map
}

/// A request, sent when its answer is first asked for: by then a POST's body is complete.
pub(in crate::git) struct Exchange {
    wire: Arc<Shared>,
    unsent: Option<(Url, HeaderMap)>,
    request_body: Vec<u8>,
    response: Option<reqwest::Response>,
    chunk: Bytes,
}

impl Exchange {
    fn response(&mut self) -> io::Result<Option<&mut reqwest::Response>> {
        if let Some((url, headers)) = self.unsent.take() {
            let body = Bytes::from(std::mem::take(&mut self.request_body));
            lock(&self.wire.opening).clear();
            let response = self.wire.send(Method::POST, url, headers, Some(body))?;
            self.response = Some(self.wire.accept(response)?);
        }
        Ok(self.response.as_mut())
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.chunk.is_empty() {
            let wire = self.wire.clone();
            let Some(response) = self.response()? else { return Ok(()) };
            match wire.wait(response.chunk())? {
                Some(chunk) => {
                    wire.arrive(&chunk)?;
                    self.chunk = chunk;
                }
                None => self.response = None,
            }
        }
        Ok(())
    }
}

/// The header lines of the answer, of which gix reads one.
pub(in crate::git) struct AnswerHeaders {
    exchange: Arc<Mutex<Exchange>>,
    lines: Option<Bytes>,
}

impl Read for AnswerHeaders {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, into)
    }
}

impl BufRead for AnswerHeaders {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.lines.is_none() {
            let mut exchange = lock(&self.exchange);
            let kind = exchange.response()?.and_then(|response| response.headers().get(CONTENT_TYPE));
            let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or_default();
            self.lines = Some(format!("content-type: {kind}\n").into());
        }
        Ok(self.lines.as_deref().unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        if let Some(lines) = &mut self.lines {
            lines.advance(amount.min(lines.len()));
        }
    }
}

/// The answer's body.
pub(in crate::git) struct AnswerBody {
    exchange: Arc<Mutex<Exchange>>,
    chunk: Bytes,
}

impl Read for AnswerBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, into)
    }
}

impl BufRead for AnswerBody {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.is_empty() {
            let mut exchange = lock(&self.exchange);
            exchange.fill()?;
            self.chunk = std::mem::take(&mut exchange.chunk);
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount.min(self.chunk.len()));
    }
}

fn read_buffered(from: &mut impl BufRead, into: &mut [u8]) -> io::Result<usize> {
    let read = from.fill_buf()?.read(into)?;
    from.consume(read);
    Ok(read)
}

/// Collects a POST's body; git's requests to read are small.
pub(in crate::git) struct QuestionBody(Arc<Mutex<Exchange>>);

impl Write for QuestionBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).request_body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire {
    fn exchange(&self, unsent: Option<(Url, HeaderMap)>, response: Option<reqwest::Response>) -> Arc<Mutex<Exchange>> {
        let wire = self.shared.clone();
        Arc::new(Mutex::new(Exchange { wire, unsent, request_body: Vec::new(), response, chunk: Bytes::new() }))
    }
}

impl Http for Wire {
    type Headers = AnswerHeaders;
    type ResponseBody = AnswerBody;
    type PostBody = QuestionBody;

    fn get(
        &mut self,
        url: &str,
        base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> gix::Result<GetResponse<AnswerHeaders, AnswerBody>> {
        let response = self.shared.get(url, base_url, header_map(headers)).map_err(gix::Error::from_error)?;
        let exchange = self.exchange(None, Some(response));
        Ok(GetResponse {
            headers: AnswerHeaders { exchange: exchange.clone(), lines: None },
            body: AnswerBody { exchange, chunk: Bytes::new() },
        })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> gix::Result<PostResponse<AnswerHeaders, AnswerBody, QuestionBody>> {
        let url = self.shared.own(url).map_err(gix::Error::from_error)?;
        let exchange = self.exchange(Some((url, header_map(headers))), None);
        Ok(PostResponse {
            post_body: QuestionBody(exchange.clone()),
            headers: AnswerHeaders { exchange: exchange.clone(), lines: None },
            body: AnswerBody { exchange, chunk: Bytes::new() },
        })
    }

    fn configure(&mut self, _config: &dyn std::any::Any) -> gix::Result {
        Ok(())
    }

    fn redirected_base_url(&self) -> Option<String> {
        lock(&self.shared.redirected_base).clone()
    }
}
