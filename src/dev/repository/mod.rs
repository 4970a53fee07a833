//! Git repositories for trying things out: made by the installed git, served by its own smart HTTP backend on loopback.

mod backend;
mod make;
mod sample;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

pub use backend::backend;
pub use make::{git, make_repository};
pub use sample::{SAMPLE_VERSION, make_sample};

/// Serves every repository below a directory until it is dropped.
pub struct GitServer {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl GitServer {
    pub async fn start(root: &Path) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer).with_state(root.to_owned());
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the git server ended");
            }
        });
        Ok(Self { address, task })
    }

    /// The address of the repository `name`, for example `http://127.0.0.1:4000/platform`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(root): State<PathBuf>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    match backend(&root, &method, &uri, &headers, body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("git http-backend: {error}")).into_response(),
    }
}
