//! What comes back, once the status has been looked at.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{AzureError, ErrorKind};
use super::retry_after::retry_after;

/// No answer that we ask for is longer.
const MAX_BODY_BYTES: usize = 16 << 20;

/// A success.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// `null` where there was no body.
    pub body: Value,
    /// `Azure-AsyncOperation`: where a long operation tells its state.
    pub async_operation: Option<String>,
    /// `Location`: where a long operation will put its result.
    pub location: Option<String>,
    pub retry_after: Option<Duration>,
}

/// The answer, or the error that it is.
pub(super) async fn read(operation: &'static str, response: reqwest::Response) -> Result<Answer, AzureError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = collect(operation, response, MAX_BODY_BYTES).await;
    if !status.is_success() {
        // What kind of failure it is stands in the status, even if the body broke off.
        return Err(AzureError::answered(operation, status.as_u16(), &headers, &body.unwrap_or_default()));
    }
    let body = body?;
    let value = if body.iter().all(u8::is_ascii_whitespace) {
        Value::Null
    } else {
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
        serde_json::from_slice(text).map_err(|_| AzureError {
            message: "the answer is no JSON".to_owned(),
            ..AzureError::answered(operation, status.as_u16(), &headers, b"")
        })?
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer {
        status: status.as_u16(),
        body: value,
        async_operation: text("azure-asyncoperation"),
        location: text("location"),
        retry_after: retry_after(&headers, SystemTime::now()),
    })
}

/// The body as what it should be.
pub(super) fn decode<T: DeserializeOwned>(operation: &'static str, answer: Answer) -> Result<T, AzureError> {
    serde_json::from_value(answer.body).map_err(|e| AzureError {
        status: Some(answer.status),
        ..AzureError::new(ErrorKind::Unreadable, operation, format!("the answer lacks what is needed ({e})"))
    })
}

/// The body, as long as it is no longer than `limit`.
pub(super) async fn collect(
    operation: &'static str,
    mut response: reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, AzureError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| AzureError::unreachable(operation, e))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(AzureError::new(ErrorKind::Unreadable, operation, format!("the answer exceeds {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The header of an answer as text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
