//! Calls of the Resource Manager.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::ErrorKind as CoreErrorKind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::Cloud;
use super::answer::{Answer, read};
use super::cloud::is_loopback;
use super::credentials::NotSignedIn;
use super::error::{AzureError, ErrorKind, chain};
use super::trace;

/// One call, from the token to the last byte of the answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Makes single calls with our token, to the cloud's own endpoint and nowhere else.
#[derive(Clone)]
pub struct ArmClient {
    http: Client,
    endpoint: Url,
    scope: String,
    registry_scope: String,
    credential: Arc<dyn TokenCredential>,
    timeout: Duration,
}

impl ArmClient {
    pub fn new(cloud: &Cloud, credential: Arc<dyn TokenCredential>) -> Result<Self, AzureError> {
        let mut builder =
            Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT);
        if is_loopback(&cloud.arm_endpoint) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| AzureError::unreachable("setting up HTTP", e))?;
        Ok(Self {
            http,
            endpoint: cloud.arm_endpoint.clone(),
            scope: cloud.arm_scope.clone(),
            registry_scope: cloud.registry_scope(),
            credential,
            timeout: CALL_TIMEOUT,
        })
    }

    /// The same client with another bound for each call.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The HTTP client without any credential, for addresses that carry their own.
    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    /// The bound for each call.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// A token that a registry takes in exchange for its own.
    pub(super) async fn registry_token(&self) -> Result<Secret, AzureError> {
        self.secret(&self.registry_scope).await
    }

    pub async fn get(
        &self,
        operation: &'static str,
        path: &str,
        api_version: &str,
        query: &[(&str, &str)],
    ) -> Result<Answer, AzureError> {
        let mut url = self.url(operation, path, api_version)?;
        url.query_pairs_mut().extend_pairs(query);
        self.call(operation, Method::GET, url, None).await
    }

    pub async fn post(
        &self,
        operation: &'static str,
        path: &str,
        api_version: &str,
        body: Option<&Value>,
    ) -> Result<Answer, AzureError> {
        self.call(operation, Method::POST, self.url(operation, path, api_version)?, body).await
    }

    pub async fn put(
        &self,
        operation: &'static str,
        path: &str,
        api_version: &str,
        body: &Value,
    ) -> Result<Answer, AzureError> {
        self.call(operation, Method::PUT, self.url(operation, path, api_version)?, Some(body)).await
    }

    pub async fn patch(
        &self,
        operation: &'static str,
        path: &str,
        api_version: &str,
        body: &Value,
    ) -> Result<Answer, AzureError> {
        self.call(operation, Method::PATCH, self.url(operation, path, api_version)?, Some(body)).await
    }

    pub async fn delete(&self, operation: &'static str, path: &str, api_version: &str) -> Result<Answer, AzureError> {
        self.call(operation, Method::DELETE, self.url(operation, path, api_version)?, None).await
    }

    /// Reads an address that the Resource Manager itself gave: a `nextLink`, or where an operation tells its state.
    /// It is used as it is, and only if it stays on the Resource Manager's own origin.
    pub async fn follow(&self, operation: &'static str, link: &str) -> Result<Answer, AzureError> {
        let url = Url::parse(link).map_err(|_| elsewhere(operation))?;
        self.call(operation, Method::GET, url, None).await
    }

    fn url(&self, operation: &'static str, path: &str, api_version: &str) -> Result<Url, AzureError> {
        let base = self.endpoint.as_str().trim_end_matches('/');
        let mut url =
            Url::parse(&format!("{base}/{}", path.trim_start_matches('/'))).map_err(|_| elsewhere(operation))?;
        url.query_pairs_mut().append_pair("api-version", api_version);
        Ok(url)
    }

    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Answer, AzureError> {
        if url.origin() != self.endpoint.origin() {
            return Err(elsewhere(operation));
        }
        let exchange = async {
            let token = bearer(self.secret(&self.scope).await?.secret())?;
            let response = match self.send(operation, &method, &url, &token, body).await {
                // Reading twice harms nobody, and a connection that was just closed is the commonest of failures.
                Err(error) if method == Method::GET && !error.is_timeout() => {
                    self.send(operation, &method, &url, &token, body).await
                }
                sent => sent,
            };
            read(operation, response.map_err(|e| AzureError::unreachable(operation, e))?).await
        };
        let answer = tokio::time::timeout(self.timeout, exchange).await;
        answer.unwrap_or_else(|_| Err(AzureError::timed_out(operation, self.timeout)))
    }

    async fn secret(&self, scope: &str) -> Result<Secret, AzureError> {
        let token = self.credential.get_token(&[scope], None).await.map_err(|error| {
            if let Some(reason) = error.downcast_ref::<NotSignedIn>() {
                return AzureError::not_signed_in(&reason.to_string());
            }
            let status = match error.kind() {
                CoreErrorKind::HttpResponse { status, .. } => Some(u16::from(*status)),
                _ => None,
            };
            AzureError::identity(status, chain(&error))
        })?;
        Ok(token.token)
    }

    async fn send(
        &self,
        operation: &'static str,
        method: &Method,
        url: &Url,
        token: &HeaderValue,
        body: Option<&Value>,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let id = Uuid::new_v4();
        tracing::debug!(%method, path = url.path(), client_request_id = %id, operation, "calling the Resource Manager");
        let request = self
            .http
            .request(method.clone(), url.clone())
            .header(AUTHORIZATION, token)
            .header("x-ms-client-request-id", id.to_string())
            .header("x-ms-return-client-request-id", "true");
        let request = match body {
            Some(body) => request.json(body),
            // The gateway refuses a POST of unknown length.
            None if method == Method::POST => request.header(CONTENT_LENGTH, 0),
            None => request,
        };
        trace::send(operation, request).await
    }
}

impl fmt::Debug for ArmClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArmClient").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

/// A token as the header that carries it.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, AzureError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| AzureError::identity(None, "the token is no text for a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    match name {
        // Encoded or not, these would be taken for directories.
        "." | ".." => "_".to_owned(),
        name => utf8_percent_encode(name, SEGMENT).to_string(),
    }
}

fn elsewhere(operation: &'static str) -> AzureError {
    AzureError::new(ErrorKind::Invalid, operation, "the address does not lead to the configured Resource Manager")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::azure::testing::{Canned, FakeCredential, PLANTED, Server};

    const PATH: &str = "/subscriptions/s/resourceGroups/g";

    async fn client(server: &Server) -> ArmClient {
        let cloud = Cloud::custom(&server.url(""), "https://login.invalid", "local").unwrap();
        ArmClient::new(&cloud, Arc::new(FakeCredential)).unwrap()
    }

    #[tokio::test]
    async fn a_call_carries_the_version_the_token_and_an_id_of_its_own() {
        let server = Server::start([Canned::json(200, json!({"name": "g"}))]).await;
        let answer = client(&server).await.get("testing", PATH, "2021-04-01", &[("$top", "5")]).await.unwrap();
        assert_eq!(answer.body, json!({"name": "g"}));
        let seen = server.only();
        assert_eq!(seen.target, format!("{PATH}?api-version=2021-04-01&%24top=5"));
        assert_eq!(seen.header("authorization"), format!("Bearer {PLANTED}"));
        assert!(Uuid::parse_str(seen.header("x-ms-client-request-id")).is_ok());
        assert_eq!(seen.header("x-ms-return-client-request-id"), "true");
    }

    #[tokio::test]
    async fn bodies_go_out_as_json_and_an_empty_post_says_that_it_is_empty() {
        let server = Server::start([
            Canned::json(201, json!({})),
            Canned::json(200, json!({})),
            Canned::empty(202),
            Canned::empty(204),
        ])
        .await;
        let client = client(&server).await;
        client.put("testing", PATH, "v", &json!({"a": 1})).await.unwrap();
        client.patch("testing", PATH, "v", &json!({"a": 2})).await.unwrap();
        assert_eq!(client.post("testing", PATH, "v", None).await.unwrap().body, Value::Null);
        assert_eq!(client.delete("testing", PATH, "v").await.unwrap().status, 204);
        let seen = server.seen();
        let shapes: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), seen.body.as_slice())).collect();
        assert_eq!(shapes, [("PUT", &b"{\"a\":1}"[..]), ("PATCH", b"{\"a\":2}"), ("POST", b""), ("DELETE", b"")]);
        assert_eq!(seen[0].header("content-type"), "application/json");
        assert_eq!(seen[2].header("content-length"), "0");
    }

    #[tokio::test]
    async fn the_token_never_goes_to_another_host() {
        let elsewhere = Server::start([]).await;
        let redirect = Canned::empty(307).with_header("location", &elsewhere.url("/stolen"));
        let server = Server::start([redirect]).await;
        let client = client(&server).await;
        let link = elsewhere.url("/operations/1?api-version=x");
        for refused in [
            client.follow("testing", &link).await,
            client.follow("testing", "nonsense").await,
            client.get("testing", PATH, "v", &[]).await,
        ] {
            assert_eq!(refused.unwrap_err().kind, ErrorKind::Invalid);
        }
        // A path is a path, even if it looks like a host.
        let _ = client.get("testing", &format!("//{}", elsewhere.host()), "v", &[]).await;
        assert!(elsewhere.seen().is_empty());
    }

    #[tokio::test]
    async fn a_link_is_followed_as_it_was_given() {
        let server = Server::start([Canned::json(200, json!({"value": []}))]).await;
        let link = server.url("/next?api-version=1&t=a%2Fb%3D&x=1%20y");
        client(&server).await.follow("testing", &link).await.unwrap();
        assert_eq!(server.only().target, "/next?api-version=1&t=a%2Fb%3D&x=1%20y");
    }

    #[tokio::test]
    async fn an_errors_cause_ids_and_pause_are_kept_and_its_secrets_are_not() {
        let body = json!({"error": {"code": "TooManyRequests", "message": format!("token={PLANTED} used up")}});
        let canned = Canned::json(429, body).with_header("retry-after", "17").with_header("x-ms-request-id", "r-1");
        let server = Server::start([canned]).await;
        let error = client(&server).await.get("listing", PATH, "v", &[]).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Throttled, "TooManyRequests"));
        assert_eq!((error.retry_after, error.ids.request.as_deref()), (Some(Duration::from_secs(17)), Some("r-1")));
        assert!(!format!("{error} {error:?}").contains(PLANTED));
    }

    #[tokio::test]
    async fn a_success_that_is_no_json_is_told_apart() {
        let server = Server::start([Canned::text(200, "<html>")]).await;
        let error = client(&server).await.get("testing", PATH, "v", &[]).await.unwrap_err();
        assert_eq!((error.kind, error.is_ambiguous(), error.is_retryable()), (ErrorKind::Unreadable, true, false));
    }

    #[tokio::test]
    async fn no_answer_is_ambiguous_and_never_repeated_for_a_write() {
        let server = Server::start([Canned::hang_up(), Canned::silence()]).await;
        let client = client(&server).await.with_timeout(Duration::from_millis(300));
        for _ in 0..2 {
            let error = client.post("testing", PATH, "v", None).await.unwrap_err();
            assert_eq!((error.kind, error.is_ambiguous(), error.is_retryable()), (ErrorKind::Unreachable, true, true));
        }
        assert_eq!(server.seen().len(), 2);
    }

    #[tokio::test]
    async fn a_read_whose_connection_was_closed_is_made_once_more_and_a_write_is_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let closed = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = closed.clone();
        let task = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        let cloud = Cloud::custom(&endpoint, "https://login.invalid", "local").unwrap();
        let client = ArmClient::new(&cloud, Arc::new(FakeCredential)).unwrap();
        assert_eq!(client.get("testing", PATH, "v", &[]).await.unwrap_err().kind, ErrorKind::Unreachable);
        assert_eq!(closed.load(std::sync::atomic::Ordering::SeqCst), 2);
        assert_eq!(client.post("testing", PATH, "v", None).await.unwrap_err().kind, ErrorKind::Unreachable);
        assert_eq!(closed.load(std::sync::atomic::Ordering::SeqCst), 3);
        task.abort();
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_had_sends_nothing() {
        #[derive(Debug)]
        struct Broken;
        #[async_trait::async_trait]
        impl TokenCredential for Broken {
            async fn get_token(
                &self,
                _: &[&str],
                _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
            ) -> azure_core::Result<azure_core::credentials::AccessToken> {
                Err(azure_core::Error::with_message(CoreErrorKind::Credential, format!("secret={PLANTED} refused")))
            }
        }
        let server = Server::start([]).await;
        let cloud = Cloud::custom(&server.url(""), "https://login.invalid", "local").unwrap();
        let client = ArmClient::new(&cloud, Arc::new(Broken)).unwrap();
        let error = client.get("testing", PATH, "v", &[]).await.unwrap_err();
        assert_eq!((error.kind, error.is_ambiguous()), (ErrorKind::Identity, false));
        assert!(!format!("{error} {error:?} {client:?}").contains(PLANTED));
        assert!(server.seen().is_empty());
    }
}
