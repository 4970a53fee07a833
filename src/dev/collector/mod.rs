//! A collector of telemetry on this machine: it takes what the handler sends, over OTLP or as Application Insights does,
//! and shows it.
//!
//! - `received`: what came, in plain words; `decode`: of OTLP's messages
//! - `tree`: a trace as people read it

mod decode;
mod received;
mod tree;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use flate2::read::GzDecoder;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use received::{Line, Point, Received, Span};
pub use tree::tree;

/// How it treats whoever sends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Manner {
    #[default]
    Takes,
    /// Answers with this status, and with Retry-After if there is one.
    Refuses(u16, Option<u32>),
    /// Takes the connection and says nothing.
    Hangs,
}

/// Takes telemetry until it is dropped with its runtime.
#[derive(Clone)]
pub struct Collector {
    address: SocketAddr,
    state: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Received>,
    manner: Mutex<Manner>,
    /// Requests that came, whatever became of them.
    asked: watch::Sender<u64>,
}

impl Collector {
    /// On 127.0.0.1; port 0 takes any.
    pub async fn start(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| format!("port {port} cannot be listened to"))?;
        let (address, state) = (listener.local_addr()?, Arc::<Shared>::default());
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/logs", post(logs))
            .route("/v1/metrics", post(metrics))
            .route("/v2.1/track", post(track))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, state })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn behave(&self, manner: Manner) {
        *lock(&self.state.manner) = manner;
    }

    pub fn received(&self) -> MutexGuard<'_, Received> {
        lock(&self.state.received)
    }

    /// How many requests came so far.
    pub fn asked(&self) -> u64 {
        *self.state.asked.borrow()
    }

    /// Changes with every request.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.state.asked.subscribe()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    async fn take(&self, headers: &HeaderMap, take: impl FnOnce(&mut Received) -> anyhow::Result<()>) -> Response {
        let manner = *lock(&self.manner);
        let answer = match manner {
            Manner::Takes => {
                let mut received = lock(&self.received);
                received.headers.push(headers.clone());
                match take(&mut received) {
                    Ok(()) => StatusCode::OK.into_response(),
                    Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
                }
            }
            Manner::Refuses(status, after) => refusal(status, after),
            Manner::Hangs => {
                self.asked.send_modify(|asked| *asked += 1);
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                return StatusCode::OK.into_response();
            }
        };
        self.asked.send_modify(|asked| *asked += 1);
        answer
    }
}

fn refusal(status: u16, after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match after {
        Some(seconds) => (status, [(header::RETRY_AFTER, seconds.to_string())]).into_response(),
        None => status.into_response(),
    }
}

async fn traces(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    state.take(&headers, |received| decode::traces(received, body)).await
}

async fn logs(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    state.take(&headers, |received| decode::logs(received, body)).await
}

async fn metrics(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    state.take(&headers, |received| decode::metrics(received, body)).await
}

/// As Application Insights takes it: a JSON array of envelopes, packed or not.
async fn track(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    state
        .take(&headers, |received| {
            let envelopes: Vec<serde_json::Value> = match packed {
                true => serde_json::from_reader(GzDecoder::new(body.as_ref()))?,
                false => serde_json::from_slice(&body)?,
            };
            received.envelopes.extend(envelopes);
            Ok(())
        })
        .await
}

/// Shows what comes until it is told to stop: each run's trace once the run is over, or with `json` every span as a line.
pub async fn show(port: u16, json: bool) -> anyhow::Result<()> {
    let collector = Collector::start(port).await?;
    println!("OTEL_EXPORTER_OTLP_ENDPOINT={}", collector.url());
    let (mut shown, mut changes) = (0, collector.changes());
    let mut ended: Vec<String> = Vec::new();
    loop {
        tokio::select! {
            changed = changes.changed() => changed.context("the collector has ended")?,
            // A run's last spans come within moments of its end.
            () = tokio::time::sleep(SETTLED), if !ended.is_empty() => {
                for trace in ended.drain(..) {
                    println!("\n{}", tree(&collector.received().spans, &trace));
                }
            }
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let received = collector.received();
        for span in received.spans.iter().skip(shown) {
            if json {
                println!("{}", serde_json::to_string(span)?);
            } else if span.ends_run() && !ended.contains(&span.trace) {
                ended.push(span.trace.clone());
            }
        }
        shown = received.spans.len();
    }
}

const SETTLED: Duration = Duration::from_secs(1);
