//! A real application behind the boundary, on loopback, with a clock that is set by hand.

use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::{get, post};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use windlass::config::{AuthConfig, EntraConfig};
use windlass::engine::ports::Clock;
use windlass::http::auth::{Authenticator, Caller, CallerKind};
use windlass::http::body::JsonBody;
use windlass::http::boundary::behind_boundary;
use windlass::http::error::ApiError;
use windlass::http::request_id::RequestId;
use windlass::model::Timestamp;

use crate::issuer::{Issuer, TENANT};

pub const AUDIENCE: &str = "api://windlass";
pub const CLIENT: &str = "99999999-0000-0000-0000-000000000001";
pub const OID: &str = "aaaaaaaa-0000-0000-0000-000000000001";
pub const ADMIN_OID: &str = "aaaaaaaa-0000-0000-0000-00000000000f";

/// 2026-11-21T02:42:15Z in seconds.
pub const NOW: i64 = 1_795_228_935;

pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn random(&self) -> u64 {
        4
    }
}

#[derive(Clone)]
struct Room {
    authenticator: Arc<Authenticator>,
}

impl FromRef<Room> for Arc<Authenticator> {
    fn from_ref(room: &Room) -> Self {
        room.authenticator.clone()
    }
}

pub struct World {
    pub issuer: Issuer,
    pub clock: Arc<HandClock>,
    pub address: String,
    pub client: reqwest::Client,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl World {
    /// Callers come with Entra tokens.
    pub async fn entra() -> Self {
        Self::with(AuthConfig { entra: Some(entra()), ..AuthConfig::default() }).await
    }

    pub async fn with(config: AuthConfig) -> Self {
        let issuer = Issuer::start().await;
        let clock = Arc::new(HandClock(AtomicI64::new(NOW * 1_000)));
        let authenticator = Authenticator::new(config, issuer.address(), reqwest::Client::new(), clock.clone());
        let room = Room { authenticator: Arc::new(authenticator) };
        let routes = Router::new()
            .route("/whoami", get(who_am_i))
            .route("/upgrade", post(upgrade))
            .route("/start", post(start))
            .route("/panic", get(|| async { panic!("password=pl4nted-s3cret") as () }))
            .with_state(room);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, behind_boundary(routes)).await.unwrap() });
        Self { issuer, clock, address, client: reqwest::Client::new() }
    }

    /// The claims of a person's v2 token, valid for an hour.
    pub fn v2(&self) -> Value {
        json!({
            "aud": AUDIENCE, "iss": self.issuer.name(), "iat": NOW, "nbf": NOW, "exp": NOW + 3_600, "oid": OID, "tid": TENANT,
            "scp": "access_as_user", "roles": ["Deployer"], "ver": "2.0", "azp": CLIENT, "name": "Ada",
        })
    }

    /// The claims of a person's v1 token, valid for an hour.
    pub fn v1(&self) -> Value {
        json!({
            "aud": AUDIENCE, "iss": format!("https://sts.windows.net/{TENANT}/"), "nbf": NOW, "exp": NOW + 3_600, "oid": OID,
            "tid": TENANT, "scp": "access_as_user", "ver": "1.0", "appid": CLIENT, "unique_name": "ada@example.com",
        })
    }

    /// GET /whoami with a bearer token.
    pub async fn call(&self, token: &str) -> Answer {
        self.send(self.client.get(format!("{}/whoami", self.address)).header(AUTHORIZATION, format!("Bearer {token}")))
            .await
    }

    pub fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.address))
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.address))
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Answer { status, headers, body }
    }
}

pub fn entra() -> EntraConfig {
    EntraConfig {
        tenant_id: TENANT.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        client_ids: vec![CLIENT.to_owned()],
    }
}

async fn who_am_i(caller: Caller) -> axum::Json<Value> {
    let kind = match caller.kind {
        CallerKind::User => "user",
        CallerKind::App => "app",
        CallerKind::Dev => "dev",
    };
    axum::Json(json!({
        "oid": caller.oid, "tenant": caller.tenant, "roles": caller.roles, "kind": kind, "name": caller.name,
    }))
}

async fn upgrade(caller: Caller) -> Result<(), ApiError> {
    match caller.is_upgrade_admin(&[ADMIN_OID.to_owned()]) {
        true => Ok(()),
        false => Err(ApiError::forbidden("not_an_admin", "Ask for the role UpgradeAdmin.")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    version: String,
}

async fn start(State(_): State<Room>, id: RequestId, JsonBody(start): JsonBody<Start>) -> String {
    format!("\"{} {}\"", start.version, id.as_str())
}

/// Everything that is logged on this thread, at every level.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn capture() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
