//! Git repositories served by git's own smart HTTP backend on loopback, well-behaved or not.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;

/// How the server treats its callers.
#[derive(Clone, Debug)]
pub enum Manner {
    Plain,
    /// 401 without exactly this user and password.
    RequireBasic {
        user: String,
        password: String,
    },
    /// Every request is redirected to the same path below this base, for example another server's.
    RedirectTo(String),
    /// `/moved/<path>` is redirected to `/<path>`, once for each `moved/`.
    Renamed,
    /// Takes requests and never answers.
    Silent,
    /// Begins an answer to the fetch and never ends it.
    StallsInFetch,
    /// Answers with this status to everything.
    Status(u16),
    /// An ordinary web page.
    WebPage,
    /// Knows the protocol as it was before its version 2.
    OlderProtocol,
    /// Goes on naming references for ever, in answer to the greeting (GET) or to the question for them (POST).
    Endless(Method),
    /// As `Endless`, but so slowly that no limit of bytes is ever reached.
    Dripping(Method),
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
}

pub struct GitServer {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Served {
    root: PathBuf,
    manner: Manner,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl GitServer {
    /// Serves every repository below `root`.
    pub async fn start(root: &Path, manner: Manner) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let served = Served { root: root.to_owned(), manner, seen: seen.clone() };
        let router = Router::new().fallback(answer).with_state(served);
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving");
        });
        Self { address, seen, task }
    }

    /// The address of the repository `name`, for example `http://127.0.0.1:4000/app`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    State(served): State<Served>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let authorization = text(header::AUTHORIZATION);
    served.seen.lock().expect("not poisoned").push(Seen {
        method: method.to_string(),
        path: uri.path().to_owned(),
        authorization: authorization.clone(),
    });
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    let redirect = |to: String| (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, to)]).into_response();
    match &served.manner {
        Manner::RequireBasic { user, password } => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            if authorization != Some(format!("Basic {encoded}")) {
                let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")];
                return (StatusCode::UNAUTHORIZED, challenge).into_response();
            }
        }
        Manner::RedirectTo(base) => return redirect(format!("{base}{rest}")),
        Manner::Renamed => {
            if let Some(rest) = rest.strip_prefix("/moved/") {
                return redirect(format!("/{rest}"));
            }
        }
        Manner::Silent => std::future::pending::<()>().await,
        Manner::StallsInFetch if method == Method::POST && body.windows(5).any(|w| w == b"fetch") => {
            let start = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"000dpackfile\n")) });
            let stalled = futures::StreamExt::chain(start, futures::stream::pending());
            let kind = [(header::CONTENT_TYPE, "application/x-git-upload-pack-result")];
            return (kind, Body::from_stream(stalled)).into_response();
        }
        Manner::Status(status) => {
            return (StatusCode::from_u16(*status).expect("a status"), [(header::RETRY_AFTER, "7")]).into_response();
        }
        Manner::WebPage => return axum::response::Html("<h1>Welcome</h1>").into_response(),
        Manner::OlderProtocol => {
            headers.remove("git-protocol");
        }
        Manner::Endless(at) if *at == method => return endless(&method, Duration::ZERO),
        Manner::Dripping(at) if *at == method => return endless(&method, SHORT / 10),
        Manner::Plain | Manner::StallsInFetch | Manner::Endless(_) | Manner::Dripping(_) => {}
    }
    windlass::dev::repository::backend(&served.root, &method, &uri, &headers, body)
        .await
        .expect("git http-backend runs")
}

/// References without an end, one for each `pace`.
fn endless(method: &Method, pace: Duration) -> Response {
    let packet = |line: &str| format!("{:04x}{line}", line.len() + 4);
    let (kind, start) = match *method {
        Method::GET => ("advertisement", format!("{}0000", packet("# service=git-upload-pack\n"))),
        _ => ("result", String::new()),
    };
    let refs = futures::stream::unfold(0_u64, move |number| async move {
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
        let capabilities = if number == 0 { "\0agent=git/2" } else { "" };
        let line = packet(&format!("{number:040x} refs/tags/v1.0.{number}{capabilities}\n"));
        Some((line, number + 1))
    });
    let start = futures::stream::once(std::future::ready(start));
    let body = futures::StreamExt::map(futures::StreamExt::chain(start, refs), Ok::<_, std::io::Error>);
    let kind = [(header::CONTENT_TYPE, format!("application/x-git-upload-pack-{kind}"))];
    (kind, Body::from_stream(body)).into_response()
}

/// As the product's own, for tests that cannot go on without it.
pub fn git(dir: &Path, arguments: &[&str]) -> String {
    windlass::dev::repository::git(dir, arguments).expect("git does what it is told")
}

/// As the product's own, for tests that cannot go on without it.
pub fn make_repository(dir: &Path, files: &[(&str, &str)], tags: &[&str]) -> String {
    windlass::dev::repository::make_repository(dir, files, tags).expect("git makes a repository")
}

/// How long a test waits for what must never happen to be given up.
pub const SHORT: Duration = Duration::from_millis(300);
