//! The tail of a build's log: an append blob that grows while the build runs.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, RANGE};
use url::Url;

use super::RegistryClient;
use crate::azure::SasUrl;
use crate::azure::answer::{collect, header};
use crate::azure::error::AzureError;
use crate::azure::trace;

const OPERATION: &str = "reading the build log";
const CALL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
const MAX_ERROR_BYTES: usize = 64 << 10;
/// A whole log that is sent in place of a piece is read up to this.
const MAX_WHOLE_BYTES: usize = 64 << 20;

/// A piece of a log. It may end within a line or within a character.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LogChunk {
    pub bytes: Bytes,
    /// Where the following piece begins.
    pub next: u64,
    /// What the service says of the finished log, once all of it up to [`next`](Self::next) has been read. The verdict
    /// on the build is the run's status: the words differ, and a run that never started never gets a log.
    pub complete: Option<String>,
}

impl RegistryClient {
    /// The log from `from` on, at most `max` bytes; nothing if there is no log yet, or nothing new.
    ///
    /// [`LinkExpired`](crate::azure::ErrorKind::LinkExpired) asks for a new [`log_link`](Self::log_link); `from` stays valid.
    pub async fn log_tail(&self, link: &SasUrl, from: u64, max: u64) -> Result<LogChunk, AzureError> {
        let url = link.reveal(OPERATION)?;
        let exchange = self.read_tail(&url, from, max);
        let read = tokio::time::timeout(CALL_TIMEOUT, exchange).await;
        read.unwrap_or_else(|_| Err(AzureError::timed_out(OPERATION, CALL_TIMEOUT)))
    }

    async fn read_tail(&self, url: &Url, from: u64, max: u64) -> Result<LogChunk, AzureError> {
        let nothing = LogChunk { next: from, ..LogChunk::default() };
        // Length and completion from one answer: completion seen before the last append would lose the tail.
        let head = self.blob(Method::HEAD, url, None).await?;
        let headers = head.headers();
        match head.status().as_u16() {
            200 => {}
            404 => return Ok(nothing),
            status => return Err(refused(status, headers, b"")),
        }
        let length = header(headers, CONTENT_LENGTH.as_str()).and_then(|value| value.parse().ok()).unwrap_or(0);
        let complete = header(headers, "x-ms-meta-complete").map(str::to_owned);
        if from >= length || max == 0 {
            return Ok(LogChunk { complete: complete.filter(|_| from >= length), ..nothing });
        }
        let end = length.min(from.saturating_add(max));
        let answer = self.blob(Method::GET, url, Some(format!("bytes={from}-{}", end.saturating_sub(1)))).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let wanted = usize::try_from(end - from).unwrap_or(usize::MAX);
        let bytes = match status {
            206 if starts_at(&headers, from) => Bytes::from(collect(OPERATION, answer, wanted).await?),
            206 => return Err(refused(status, &headers, b"")),
            404 | 416 => return Ok(nothing),
            // A server that ignores ranges sends all there is; more may have come since the HEAD.
            200 => whole(collect(OPERATION, answer, MAX_WHOLE_BYTES).await?, from, wanted),
            _ => {
                let body = collect(OPERATION, answer, MAX_ERROR_BYTES).await.unwrap_or_default();
                return Err(refused(status, &headers, &body));
            }
        };
        let next = from.saturating_add(bytes.len() as u64);
        Ok(LogChunk { bytes, next, complete: complete.filter(|_| next >= length) })
    }

    async fn blob(&self, method: Method, url: &Url, range: Option<String>) -> Result<reqwest::Response, AzureError> {
        let mut request = self.arm.http().request(method, url.clone());
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        trace::send(OPERATION, request).await.map_err(|e| AzureError::unreachable(OPERATION, e))
    }
}

fn refused(status: u16, headers: &HeaderMap, body: &[u8]) -> AzureError {
    AzureError::answered(OPERATION, status, headers, body).with_expired_link()
}

fn starts_at(headers: &HeaderMap, from: u64) -> bool {
    header(headers, CONTENT_RANGE.as_str()).is_none_or(|range| range.starts_with(&format!("bytes {from}-")))
}

fn whole(body: Vec<u8>, from: u64, wanted: usize) -> Bytes {
    let body = Bytes::from(body);
    let start = usize::try_from(from).unwrap_or(usize::MAX).min(body.len());
    body.slice(start..start.saturating_add(wanted).min(body.len()))
}
