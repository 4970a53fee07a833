//! An Entra authority on loopback: one tenant's metadata and keys, and RSA keys that sign real tokens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// Making a key takes a while: the tests share three.
pub static FIRST: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("first"));
pub static SECOND: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("second"));
pub static STRANGER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("stranger"));

pub struct SigningKey {
    pub kid: &'static str,
    pair: RsaKeyPair,
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKey {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: RsaKeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    pub fn modulus(&self) -> Vec<u8> {
        self.pair.public_key().modulus().big_endian_without_leading_zero().to_vec()
    }

    /// As Entra publishes it: without `alg`.
    pub fn jwk(&self) -> Value {
        let exponent = self.pair.public_key().exponent().big_endian_without_leading_zero();
        json!({"kty": "RSA", "use": "sig", "kid": self.kid, "n": base64url(self.modulus()), "e": base64url(exponent)})
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"typ": "JWT", "alg": "RS256", "kid": self.kid}), claims)
    }

    /// An RS256 signature under any header.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", base64url(signature))
    }
}

/// What the authority answers with.
#[derive(Clone, PartialEq)]
pub enum Mood {
    Well,
    Down,
    Garbage,
    Huge,
    /// Publishes a key set at this address.
    Elsewhere(String),
    /// Sends whoever asks for the key set to this address.
    Redirecting(String),
}

struct Inner {
    address: Url,
    mood: Mutex<Mood>,
    keys: Mutex<Vec<Value>>,
    asked: AtomicUsize,
}

#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

impl Issuer {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let inner = Inner {
            address,
            mood: Mutex::new(Mood::Well),
            keys: Mutex::new(vec![FIRST.jwk()]),
            asked: AtomicUsize::new(0),
        };
        let issuer = Self(Arc::new(inner));
        let routes = Router::new()
            .route(&format!("/{TENANT}/v2.0/.well-known/openid-configuration"), get(metadata))
            .route("/keys", get(keys))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        issuer
    }

    pub fn address(&self) -> Url {
        self.0.address.clone()
    }

    /// The v2 issuer: a host of its own, as in a sovereign cloud.
    pub fn name(&self) -> String {
        format!("https://login.sovereign.example/{TENANT}/v2.0")
    }

    pub fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    pub fn publishes(&self, keys: &[Value]) {
        *self.0.keys.lock().unwrap() = keys.to_vec();
    }

    /// How often the metadata were asked for.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn mood(&self) -> Mood {
        self.0.mood.lock().unwrap().clone()
    }
}

async fn metadata(State(issuer): State<Issuer>) -> Response {
    issuer.0.asked.fetch_add(1, Ordering::SeqCst);
    let keys = match issuer.mood() {
        Mood::Down => return StatusCode::BAD_GATEWAY.into_response(),
        Mood::Garbage => return "<html>".into_response(),
        Mood::Huge => return " ".repeat(1024 * 1024).into_response(),
        Mood::Elsewhere(address) => address,
        Mood::Well | Mood::Redirecting(_) => format!("{}keys", issuer.address()),
    };
    axum::Json(json!({"issuer": issuer.name().replace(TENANT, "{tenantid}"), "jwks_uri": keys})).into_response()
}

async fn keys(State(issuer): State<Issuer>) -> Response {
    if let Mood::Redirecting(address) = issuer.mood() {
        return Redirect::temporary(&address).into_response();
    }
    let keys = issuer.0.keys.lock().unwrap().clone();
    axum::Json(json!({ "keys": keys })).into_response()
}
