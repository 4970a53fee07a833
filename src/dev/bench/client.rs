//! An HTTP client that costs little beside what it measures: one kept connection, no pool.

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::http::auth::DEV_BYPASS_TOKEN;

pub struct Client {
    address: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub async fn connect(address: &str) -> anyhow::Result<Self> {
        Ok(Self { address: address.to_owned(), sender: open(address).await? })
    }

    pub async fn call(&mut self, method: Method, path: &str, body: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", &self.address)
            .header("Authorization", format!("Bearer {DEV_BYPASS_TOKEN}"))
            .header("Content-Type", "application/json")
            .header("Content-Length", body.len())
            .body(Full::from(body.to_owned()))?;
        if self.sender.is_closed() {
            self.sender = open(&self.address).await?;
        }
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// Starts a probe and returns its id.
    pub async fn start(&mut self) -> anyhow::Result<String> {
        let (status, body) = self.call(Method::POST, "/api/probe/start", "{}").await?;
        ensure!(status == StatusCode::ACCEPTED, "{status}: {}", String::from_utf8_lossy(&body));
        let body: Value = serde_json::from_slice(&body)?;
        Ok(body["id"].as_str().context("an answer without an id")?.to_owned())
    }

    /// Whether the probe has completed; anything but success ends the benchmark.
    pub async fn completed(&mut self, id: &str) -> anyhow::Result<bool> {
        let (status, body) = self.call(Method::GET, &format!("/api/probe/{id}/status"), "").await?;
        ensure!(status == StatusCode::OK, "{status}: {}", String::from_utf8_lossy(&body));
        let body: Value = serde_json::from_slice(&body)?;
        match body["runtime_status"].as_str() {
            Some("Completed") => Ok(true),
            Some("Pending" | "Running") => Ok(false),
            other => bail!("a probe ended as {other:?}"),
        }
    }
}

async fn open(address: &str) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
