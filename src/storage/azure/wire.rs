//! What all clients share: transport, retries, deadline, counting, and what an error means.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::ERROR_CODE;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{
    ClientOptions, Context, ExponentialRetryOptions, RawResponse, Request, RetryOptions, Transport,
};
use tokio::time::timeout;

use super::connection::{Access, Connection};
use super::signing::{Scheme, SharedKey};
use crate::engine::ports::StoreError;
use crate::model::redact;
use crate::storage::limits::refused;
use crate::storage::operations::{Kind, Operations};

const CONNECT: Duration = Duration::from_secs(5);
/// Between two bytes of an answer.
const READ: Duration = Duration::from_secs(20);
const OVERALL: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;
/// Characters of a service's own words that an error repeats.
const QUOTED: usize = 300;

/// One pool of connections for every client of a store.
pub(super) fn transport() -> Result<Transport, StoreError> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .redirect(reqwest::redirect::Policy::none())
        // A blob's own encoding is part of its content, and ranges count encoded bytes.
        .no_gzip()
        .no_deflate()
        .no_brotli()
        .no_zstd()
        .build()
        .map_err(|error| refused(format!("no HTTP client can be made: {error}")))?;
    Ok(Transport::new(Arc::new(client)))
}

pub(super) fn options(
    connection: &Connection,
    scheme: Scheme,
    kind: Kind,
    operations: &Operations,
    transport: &Transport,
) -> ClientOptions {
    let mut per_try: Vec<Arc<dyn Policy>> = vec![Arc::new(Counting { operations: operations.clone(), kind })];
    if let Access::Key(key) = &connection.access {
        let account = connection.account.clone();
        per_try.push(Arc::new(SharedKey { account, key: key.clone(), scheme }));
    }
    ClientOptions {
        per_try_policies: per_try,
        retry: RetryOptions::exponential(ExponentialRetryOptions { max_retries: RETRIES, ..Default::default() }),
        transport: Some(transport.clone()),
        ..Default::default()
    }
}

/// Counts what goes over the wire, repeated tries included, because that is what is billed.
#[derive(Debug)]
struct Counting {
    operations: Operations,
    kind: Kind,
}

#[async_trait]
impl Policy for Counting {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        self.operations.count(self.kind);
        match next.split_first() {
            Some((policy, rest)) => policy.send(ctx, request, rest).await,
            None => Err(azure_core::Error::with_message(ErrorKind::Other, "no transport")),
        }
    }
}

/// An answer that is not the one hoped for. Some of them mean something to the caller; the rest become its error.
#[derive(Debug)]
pub(super) struct Problem {
    /// 0 if no service answered.
    status: u16,
    code: String,
    error: StoreError,
}

impl Problem {
    pub(super) fn is(&self, status: u16, code: &str) -> bool {
        self.status == status && self.code == code
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// From the service's own code and words.
    pub(super) fn answered(status: u16, code: &str, words: &str) -> Self {
        let first = words.lines().next().unwrap_or_default();
        let quoted: String = redact(first).chars().take(QUOTED).collect();
        let error = match status {
            // Their words repeat what was signed.
            401 | 403 => refused(format!("{status} {code}: check the key, or the roles of the identity")),
            408 | 429 | 500..=599 => StoreError::Unavailable(format!("{status} {code} {quoted}")),
            _ => refused(format!("{status} {code} {quoted}")),
        };
        Self { status, code: code.to_owned(), error }
    }

    pub(super) fn silent(why: impl Into<String>) -> Self {
        Self { status: 0, code: String::new(), error: StoreError::Unavailable(why.into()) }
    }
}

impl From<Problem> for StoreError {
    fn from(problem: Problem) -> Self {
        problem.error
    }
}

impl From<azure_core::Error> for Problem {
    fn from(error: azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::HttpResponse { status, error_code, raw_response } => {
                let own = raw_response.as_deref().and_then(|response| response.headers().get_optional_str(&ERROR_CODE));
                let code = own.or(error_code.as_deref()).unwrap_or_default();
                let body = raw_response.as_deref().map(|response| words(response.body())).unwrap_or_default();
                Self::answered(u16::from(*status), code, &body)
            }
            _ => Self::silent(describe(&error)),
        }
    }
}

/// The message of an XML or JSON error, as far as one line shows it.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let within = text.split_once("<Message>").map(|(_, rest)| rest).unwrap_or_default();
    within.split("</Message>").next().unwrap_or_default().to_owned()
}

/// An error with its causes, without secrets.
pub(super) fn describe(error: &azure_core::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    redact(&text)
}

/// How long an operation may take with all its tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Patience(pub(super) Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(OVERALL)
    }
}

impl Patience {
    /// Waits for one answer, but not for ever.
    pub(super) async fn ask<T>(self, question: impl IntoFuture<Output = azure_core::Result<T>>) -> Result<T, Problem> {
        self.take(async { Ok(question.into_future().await?) }).await
    }

    /// As [`Patience::ask`], for an operation of several steps.
    pub(super) async fn take<T>(self, steps: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let late = || Err(Problem::silent(format!("no answer within {} ms", self.0.as_millis())));
        timeout(self.0, steps).await.unwrap_or_else(|_| late())
    }
}

pub(super) fn status(response: &RawResponse) -> u16 {
    u16::from(response.status())
}
