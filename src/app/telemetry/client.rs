//! The HTTP that telemetry is sent with: one request, one answer, no redirect, and an end to waiting.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use azure_core::credentials::TokenCredential;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;

use super::destination::Sent;
use crate::azure;

/// One request, from the first byte to the last of its answer.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// More of an answer is not read.
const LARGEST_ANSWER: usize = 64 << 10;

/// Signs in to a destination that wants to know who sends.
#[derive(Clone)]
pub struct Signature {
    pub credential: Arc<dyn TokenCredential>,
    pub scope: String,
}

#[derive(Clone)]
pub struct Wire {
    http: Client,
    signature: Option<Signature>,
}

impl Wire {
    /// `headers` go with every request.
    pub fn new(to: &Url, headers: HeaderMap, signature: Option<Signature>) -> reqwest::Result<Self> {
        let http = Client::builder().redirect(Policy::none()).connect_timeout(CONNECT).timeout(PATIENCE);
        // A proxy is for what leaves the machine.
        let http = if azure::is_loopback(to) { http.no_proxy() } else { http };
        Ok(Self { http: http.default_headers(headers).build()?, signature })
    }

    /// Sends `body`, and brings the answer's body where it was taken.
    pub async fn post(&self, url: Url, headers: HeaderMap, body: Bytes) -> Result<Bytes, Sent> {
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(url, headers, body)).await;
        exchange.unwrap_or_else(|_| Err(later("no answer in time", None)))
    }

    async fn exchange(&self, url: Url, headers: HeaderMap, body: Bytes) -> Result<Bytes, Sent> {
        let mut request = self.http.post(url).headers(headers).body(body);
        if let Some(signature) = &self.signature {
            request = request.header(AUTHORIZATION, signature.header().await?);
        }
        let answer = request.send().await.map_err(|error| {
            later(if error.is_timeout() { "no answer in time" } else { "it cannot be reached" }, None)
        })?;
        if !answer.status().is_success() {
            return Err(refusal(&answer));
        }
        read(answer).await
    }
}

impl Signature {
    async fn header(&self) -> Result<HeaderValue, Sent> {
        let token = self.credential.get_token(&[&self.scope], None).await;
        let token = token.map_err(|_| later("the identity got no token for it", None))?;
        let header = HeaderValue::from_str(&format!("Bearer {}", token.token.secret()));
        let mut header = header.map_err(|_| later("the identity's token is no text for a header", None))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn refusal(answer: &Response) -> Sent {
    /// Not in any register: Application Insights says with it that its daily cap is reached.
    const OVER_QUOTA: u16 = 439;
    let status = answer.status().as_u16();
    let why = format!("it answered with HTTP status {status}");
    match status {
        // A role that was just granted takes its time.
        401 | 403 | 408 | 429 | OVER_QUOTA | 500.. => {
            Sent::Later { why, after: azure::retry_after(answer.headers(), SystemTime::now()) }
        }
        _ => Sent::Refused(why),
    }
}

async fn read(mut answer: Response) -> Result<Bytes, Sent> {
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST_ANSWER => body.extend_from_slice(&chunk),
            // It was taken; what else is said of it does not matter.
            Ok(_) | Err(_) => return Ok(body.into()),
        }
    }
}

fn later(why: &str, after: Option<Duration>) -> Sent {
    Sent::Later { why: why.to_owned(), after }
}
