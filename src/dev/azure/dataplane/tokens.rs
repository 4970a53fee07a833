//! From an Entra token to the registry's refresh token, and from that to an access token for a scope.
//!
//! Recorded and documented: forms in, nothing but the token out; a refresh token lives for three hours, an access
//! token for 75 minutes; an access token is given even to those without any right, and says what they may.

use aws_lc_rs::hmac;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::RegistryError;
use crate::dev::azure::access;
use crate::dev::azure::request::Received;
use crate::dev::azure::tokens::believed;
use crate::dev::azure::world::Sim;

const REFRESH_LIFETIME_S: i64 = 3 * 60 * 60;
const ACCESS_LIFETIME_S: i64 = 75 * 60;
const ISSUER: &str = "Azure Container Registry";
const AUDIENCE: &str = "https://containerregistry.azure.net";

/// Signs the registry's own tokens.
pub(in crate::dev::azure) struct RegistryTokens {
    key: hmac::Key,
}

impl RegistryTokens {
    pub(in crate::dev::azure) fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    fn signed(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "HS256"})), part(claims));
        let signature = hmac::sign(&self.key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token of this kind that this registry signed and that has not expired.
    fn believed(&self, sim: &Sim, token: &str, kind: &str) -> Option<Value> {
        let (message, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, message.as_bytes(), &signature).ok()?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(message.split('.').nth(1)?).ok()?).ok()?;
        let good = claims["exp"].as_i64()? > sim.clock.now().unix_timestamp() && claims["grant_type"] == kind;
        good.then_some(claims)
    }

    pub(super) fn access(&self, sim: &Sim, token: &str) -> Option<Value> {
        self.believed(sim, token, "access_token")
    }
}

fn claims(sim: &Sim, subject: &Value, kind: &str, lifetime_s: i64) -> Value {
    let now = sim.clock.now().unix_timestamp();
    json!({
        "jti": Uuid::new_v4().to_string(), "sub": subject, "nbf": now - 900, "exp": now + lifetime_s, "iat": now,
        "iss": ISSUER, "aud": sim.login_server(), "version": "2.0", "rid": "5c1f4a3e8b7d4f60a2c9e1d0b6f78a94",
        "grant_type": kind, "tenant": sim.options.tenant_id,
    })
}

/// A form with these fields.
fn form<const N: usize>(request: &Received, names: [&str; N]) -> Result<[String; N], RegistryError> {
    let media = request.header("content-type").unwrap_or_default();
    if !media.starts_with("application/x-www-form-urlencoded") {
        return Err(RegistryError::bad_request("UNSUPPORTED", "the body is not application/x-www-form-urlencoded"));
    }
    let fields = names.map(|name| request.form(name).unwrap_or_default());
    match names.iter().zip(&fields).find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(RegistryError::bad_request("UNSUPPORTED", format!("the parameter '{name}' is missing"))),
        None => Ok(fields),
    }
}

fn of_this_registry(sim: &Sim, service: &str) -> Result<(), RegistryError> {
    if service == sim.login_server() {
        return Ok(());
    }
    Err(RegistryError::bad_request("UNSUPPORTED", format!("the service '{service}' is not this registry")))
}

fn granting(given: &str, wanted: &str) -> Result<(), RegistryError> {
    if given == wanted {
        return Ok(());
    }
    Err(RegistryError::bad_request("UNSUPPORTED", format!("the grant_type '{given}' is not supported")))
}

pub(super) fn exchange(sim: &Sim, request: &Received) -> Result<Response, RegistryError> {
    let [grant, service, tenant, token] = form(request, ["grant_type", "service", "tenant", "access_token"])?;
    granting(&grant, "access_token")?;
    of_this_registry(sim, &service)?;
    let refused = || RegistryError::unauthorized(Value::Null);
    let entra = believed(sim, &token).map_err(|_| refused())?;
    let audience = entra["aud"].as_str().unwrap_or_default().trim_end_matches('/');
    let issuer = entra["iss"].as_str().unwrap_or_default();
    let ours = issuer == sim.issuer_v1() || issuer == sim.issuer_v2();
    if !ours || tenant != sim.options.tenant_id || (audience != AUDIENCE && !access::audiences(sim).contains(&audience))
    {
        return Err(refused());
    }
    let token = sim.registry_tokens.signed(&claims(sim, &entra["oid"], "refresh_token", REFRESH_LIFETIME_S));
    Ok(Json(json!({"refresh_token": token})).into_response())
}

pub(super) fn token(sim: &Sim, request: &Received) -> Result<Response, RegistryError> {
    let [grant, service, scope, refresh] = form(request, ["grant_type", "service", "scope", "refresh_token"])?;
    granting(&grant, "refresh_token")?;
    of_this_registry(sim, &service)?;
    let tokens = &sim.registry_tokens;
    let who = tokens.believed(sim, &refresh, "refresh_token");
    let who = who.ok_or_else(|| RegistryError::unauthorized(Value::Null))?;
    let rights = sim.world().registry_rights.clone();
    let granted: Result<Vec<Value>, _> = scope.split_whitespace().map(|scope| access_of(scope, &rights)).collect();
    let mut claims = claims(sim, &who["sub"], "access_token", ACCESS_LIFETIME_S);
    claims["access"] = Value::Array(granted?);
    Ok(Json(json!({"access_token": tokens.signed(&claims)})).into_response())
}

/// What of a scope is granted, which may be nothing.
fn access_of(scope: &str, rights: &[String]) -> Result<Value, RegistryError> {
    let refused = || {
        let message = format!("the scope '{scope}' is not of the form type:name:actions");
        RegistryError::new(StatusCode::BAD_REQUEST, "UNSUPPORTED", message, Value::Null)
    };
    let (kind, rest) = scope.split_once(':').ok_or_else(refused)?;
    let (name, actions) = rest.rsplit_once(':').ok_or_else(refused)?;
    if !["repository", "registry"].contains(&kind) || name.is_empty() || actions.is_empty() {
        return Err(refused());
    }
    let actions: Vec<&str> = actions.split(',').filter(|action| rights.iter().any(|right| right == action)).collect();
    Ok(json!({"type": kind, "name": name, "actions": actions}))
}
