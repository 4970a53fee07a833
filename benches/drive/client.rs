//! An HTTP client that costs little beside what it measures: one kept connection, no pool.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use windlass::http::auth::DEV_BYPASS_TOKEN;

pub struct Client {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub async fn connect(address: &str) -> Self {
        Self { address: address.to_owned(), sender: open(address).await }
    }

    pub async fn call(&mut self, method: Method, path: &str, body: &str) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", &self.address)
            .header("Authorization", format!("Bearer {DEV_BYPASS_TOKEN}"))
            .header("Content-Type", "application/json")
            .header("Content-Length", body.len())
            .body(Full::from(body.to_owned()))
            .expect("a request");
        if self.sender.is_closed() {
            self.sender = open(&self.address).await;
        }
        self.sender.ready().await.expect("a connection");
        let answer = self.sender.send_request(request).await.expect("an answer");
        let status = answer.status();
        (status, answer.into_body().collect().await.expect("a body").to_bytes())
    }

    /// Starts a probe and returns its id.
    pub async fn start(&mut self) -> String {
        let (status, body) = self.call(Method::POST, "/api/probe/start", "{}").await;
        assert_eq!(status, StatusCode::ACCEPTED, "{}", String::from_utf8_lossy(&body));
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        body["id"].as_str().expect("an id").to_owned()
    }

    /// Whether the probe has completed; anything but success ends the benchmark.
    pub async fn completed(&mut self, id: &str) -> bool {
        let (status, body) = self.call(Method::GET, &format!("/api/probe/{id}/status"), "").await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        match body["runtime_status"].as_str() {
            Some("Completed") => true,
            Some("Pending" | "Running") => false,
            other => panic!("a probe ended as {other:?}"),
        }
    }
}

async fn open(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(address).await.expect("the host listens");
    stream.set_nodelay(true).expect("an option");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    sender
}
