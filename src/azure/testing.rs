//! A server that answers what the test says and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use serde_json::Value;

pub(super) const PLANTED: &str = "pl4nted-s3cret-t0ken";

#[derive(Debug)]
pub(super) struct FakeCredential;

#[async_trait::async_trait]
impl TokenCredential for FakeCredential {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes.len(), 1);
        Ok(AccessToken::new(PLANTED.to_owned(), OffsetDateTime::now_utc() + Duration::hours(1)))
    }
}

/// One answer.
#[derive(Clone)]
pub(super) enum Canned {
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    HangUp,
    Silence,
}

impl Canned {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self::text(status, &body.to_string()).with_header("content-type", "application/json; charset=utf-8")
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::text(status, "")
    }

    /// The connection ends in the middle of the answer.
    pub(super) fn hang_up() -> Self {
        Self::HangUp
    }

    /// There never is an answer.
    pub(super) fn silence() -> Self {
        Self::Silence
    }

    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    /// Path and query as they came over the wire.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Canned>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(super) struct Server {
    address: std::net::SocketAddr,
    script: Script,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Gives these answers in this order, and 418 to everything after them.
    pub(super) async fn start(answers: impl IntoIterator<Item = Canned>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Script::default() };
        let router = Router::new().fallback(answer).with_state(script.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, script, task }
    }

    /// Gives these answers after those that are left.
    pub(super) fn then(&self, answers: impl IntoIterator<Item = Canned>) {
        self.script.answers.lock().unwrap().extend(answers);
    }

    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn url(&self, rest: &str) -> String {
        format!("http://{}{rest}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }

    pub(super) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(script): State<Script>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let target = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let seen = Seen { method: method.to_string(), target, headers, body: body.to_vec() };
    script.seen.lock().unwrap().push(seen);
    let canned = script.answers.lock().unwrap().pop_front().unwrap_or_else(|| Canned::empty(418));
    match canned {
        Canned::Answer { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Canned::HangUp => {
            let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("planted")) });
            Response::builder().status(200).header("content-length", "9").body(Body::from_stream(broken)).unwrap()
        }
        Canned::Silence => std::future::pending().await,
    }
}
