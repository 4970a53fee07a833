//! The login server: where it is, and one exchange with it. Nothing that carries a token leaves its origin.

use std::time::Instant;

use reqwest::RequestBuilder;
use reqwest::header::{HeaderMap, LINK};
use serde::de::DeserializeOwned;
use url::Url;

use crate::azure::answer::{collect, header};
use crate::azure::arm::ArmClient;
use crate::azure::cloud::is_loopback;
use crate::azure::error::{AzureError, ErrorKind};
use crate::azure::trace;

const MAX_BODY_BYTES: usize = 4 << 20;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LoginServer {
    name: String,
    base: Url,
}

impl LoginServer {
    /// Plain HTTP on loopback, as container tools do it; HTTPS anywhere else.
    pub(super) fn new(name: &str) -> Result<Self, AzureError> {
        const OPERATION: &str = "reading the registry's login server";
        let refused = || AzureError::new(ErrorKind::Unreadable, OPERATION, "the login server is no host");
        let secure = Url::parse(&format!("https://{name}")).map_err(|_| refused())?;
        let scheme = if is_loopback(&secure) { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{name}")).map_err(|_| refused())?;
        let bare = base.path() == "/" && base.query().is_none() && base.fragment().is_none();
        if bare && base.username().is_empty() && base.password().is_none() && !name.ends_with('/') {
            Ok(Self { name: name.to_owned(), base })
        } else {
            Err(refused())
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn url(&self, operation: &'static str, path: &str) -> Result<Url, AzureError> {
        self.follow(operation, path)
    }

    /// An address that the registry gave, relative or not, if it is the registry's own.
    pub(super) fn follow(&self, operation: &'static str, link: &str) -> Result<Url, AzureError> {
        let url = self.base.join(link).ok().filter(|url| url.origin() == self.base.origin());
        url.ok_or_else(|| AzureError::new(ErrorKind::Invalid, operation, "the registry names an address elsewhere"))
    }
}

/// What came back, whatever its status.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

pub(super) async fn send(
    arm: &ArmClient,
    operation: &'static str,
    request: RequestBuilder,
) -> Result<Reply, AzureError> {
    let started = Instant::now();
    let exchange = async {
        let response = trace::send(operation, request).await.map_err(|e| AzureError::unreachable(operation, e))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let path = response.url().path().to_owned();
        let body = collect(operation, response, MAX_BODY_BYTES).await;
        tracing::debug!(path, status, elapsed_ms = started.elapsed().as_millis(), operation, "called the registry");
        // What kind of failure it is stands in the status, even if the body broke off.
        let body = if (200..=299).contains(&status) { body? } else { body.unwrap_or_default() };
        Ok(Reply { status, headers, body })
    };
    let reply = tokio::time::timeout(arm.timeout(), exchange).await;
    reply.unwrap_or_else(|_| Err(AzureError::timed_out(operation, arm.timeout())))
}

impl Reply {
    /// The error that it is, with `message` if the body has none.
    pub(super) fn refused(&self, operation: &'static str, message: &str) -> AzureError {
        let body = if self.status < 300 { &[] } else { self.body.as_slice() };
        let error = AzureError::answered(operation, self.status, &self.headers, body);
        if error.message.is_empty() { AzureError { message: message.to_owned(), ..error } } else { error }
    }

    pub(super) fn json<T: DeserializeOwned>(&self, operation: &'static str) -> Result<T, AzureError> {
        serde_json::from_slice(&self.body).map_err(|_| self.refused(operation, "the answer lacks what is needed"))
    }
}

/// The address of the next page.
pub(super) fn next(headers: &HeaderMap) -> Option<&str> {
    header(headers, LINK.as_str())?.split('<').skip(1).find_map(|link| {
        let (address, parameters) = link.split_once('>')?;
        let parameters = parameters.replace(['"', ' '], "");
        parameters.split([';', ',']).any(|parameter| parameter.eq_ignore_ascii_case("rel=next")).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_server_is_spoken_to_in_the_open() {
        for (name, base) in [
            ("myRegistry-abc123.azurecr.io", "https://myregistry-abc123.azurecr.io/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
            ("localhost.evil.example", "https://localhost.evil.example/"),
        ] {
            assert_eq!(LoginServer::new(name).unwrap().base.as_str(), base);
        }
        for name in ["", "a/b", "a/", "u:p@a", "a?b", "a#b", "https://a", "a b"] {
            assert!(LoginServer::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_address_is_followed_only_to_the_server_itself() {
        let server = LoginServer::new("r.azurecr.io").unwrap();
        for own in ["/acr/v1/a/_tags?last=b&n=1", "https://r.azurecr.io/acr/v1/a/_tags?last=b&n=1"] {
            let url = server.follow("testing", own).unwrap();
            assert_eq!(url.as_str(), "https://r.azurecr.io/acr/v1/a/_tags?last=b&n=1");
        }
        for foreign in ["//evil.example/x", "https://evil.example", "http://r.azurecr.io/", "https://r.azurecr.io:444/"]
        {
            assert_eq!(server.follow("testing", foreign).unwrap_err().kind, ErrorKind::Invalid, "{foreign}");
        }
    }

    #[test]
    fn the_next_page_is_found_among_links() {
        let found = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, value.parse().unwrap());
            next(&headers).map(str::to_owned)
        };
        assert_eq!(found(r#"</v1/a/_tags?last=x&n=1>; rel="next""#).as_deref(), Some("/v1/a/_tags?last=x&n=1"));
        assert_eq!(found(r#"</first>; rel="prev", </second>; title="a"; rel=next"#).as_deref(), Some("/second"));
        assert_eq!(found(r#"</first>; rel="prev""#), None);
        assert_eq!(found("nonsense"), None);
    }
}
