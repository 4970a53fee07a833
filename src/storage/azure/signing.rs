//! Shared Key authorization, which the crates leave to their callers.
//!
//! Source: "Authorize with Shared Key" of the Azure Storage REST reference.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};
use azure_core::time::{OffsetDateTime, to_rfc7231};

const AUTHORIZATION: HeaderName = HeaderName::from_static("authorization");
const DATE: HeaderName = HeaderName::from_static("x-ms-date");

/// The standard headers that are signed after the length and before the service's own, in this order. The date's line
/// stays empty, because x-ms-date is signed among the service's own.
const BEFORE_LENGTH: [HeaderName; 2] =
    [HeaderName::from_static("content-encoding"), HeaderName::from_static("content-language")];
const AFTER_LENGTH: [HeaderName; 8] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-type"),
    HeaderName::from_static("date"),
    HeaderName::from_static("if-modified-since"),
    HeaderName::from_static("if-match"),
    HeaderName::from_static("if-none-match"),
    HeaderName::from_static("if-unmodified-since"),
    HeaderName::from_static("range"),
];

/// What is signed, which differs by service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scheme {
    /// Blobs and queues: method, headers and the whole address.
    Full,
    /// Tables: the date and the path.
    Lite,
}

/// Signs every try anew, since the date is part of what is signed.
pub(super) struct SharedKey {
    pub(super) account: String,
    pub(super) key: Secret,
    pub(super) scheme: Scheme,
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let date = to_rfc7231(&OffsetDateTime::now_utc());
        request.insert_header(DATE, date.clone());
        let path = format!("/{}{}", self.account, request.url().path());
        let (name, text) = match self.scheme {
            Scheme::Full => ("SharedKey", full(request, &path)),
            Scheme::Lite => ("SharedKeyLite", lite(request.url(), &date, &path)),
        };
        let signature = hmac_sha256(&text, &self.key)?;
        request.insert_header(AUTHORIZATION, format!("{name} {}:{signature}", self.account));
        match next.split_first() {
            Some((policy, rest)) => policy.send(ctx, request, rest).await,
            None => Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "no transport")),
        }
    }
}

fn full(request: &Request, path: &str) -> String {
    let standard = |name: &HeaderName| request.headers().get_optional_str(name).unwrap_or_default().to_owned();
    let length = request.body().len().filter(|length| *length > 0).map(|length| length.to_string());
    let mut lines = vec![request.method().to_string()];
    lines.extend(BEFORE_LENGTH.iter().map(standard));
    lines.push(length.unwrap_or_default());
    lines.extend(AFTER_LENGTH.iter().map(standard));
    let mut query: Vec<_> =
        request.url().query_pairs().map(|(name, value)| format!("\n{}:{value}", name.to_lowercase())).collect();
    query.sort();
    format!("{}\n{}{path}{}", lines.join("\n"), own_headers(request.headers()), query.concat())
}

fn lite(url: &Url, date: &str, path: &str) -> String {
    let component = url.query_pairs().find(|(name, _)| name == "comp");
    let component = component.map(|(_, value)| format!("?comp={value}")).unwrap_or_default();
    format!("{date}\n{path}{component}")
}

/// `name:value` lines of the x-ms- headers in the order of their names.
fn own_headers(headers: &Headers) -> String {
    let named = headers.iter().map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.as_str().trim()));
    let mut own: Vec<_> = named.filter(|(name, _)| name.starts_with("x-ms-")).collect();
    own.sort();
    own.into_iter().map(|(name, value)| format!("{name}:{value}\n")).collect()
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKey").field("account", &self.account).finish_non_exhaustive()
    }
}
