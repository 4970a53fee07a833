//! Entra ID as far as callers of the product and its token validation need it.

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::request::Received;
use super::world::Sim;
use super::{access, clock, tokens};

const LIFETIME_S: i64 = 3599;

/// `None` when the path is none of Entra's.
pub(super) fn answer(sim: &Sim, request: &Received) -> Option<Response> {
    let mut parts = request.path().trim_start_matches('/').splitn(2, '/');
    let (tenant, rest) = (parts.next()?, parts.next()?);
    let get = request.parts.method == Method::GET;
    let post = request.parts.method == Method::POST;
    let serve: fn(&Sim, &Received, &str) -> Result<Response, Refusal> = match rest {
        "v2.0/.well-known/openid-configuration" if get => metadata,
        "discovery/v2.0/keys" if get => keys,
        "oauth2/v2.0/token" if post => token,
        _ => return None,
    };
    let answer = tenant_known(sim, tenant).and_then(|()| serve(sim, request, tenant));
    Some(answer.unwrap_or_else(|refusal| refusal.response(sim)))
}

struct Refusal {
    status: StatusCode,
    error: &'static str,
    number: u32,
    text: String,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self { status, error, number, text: text.into() }
    }

    fn response(self, sim: &Sim) -> Response {
        let now = clock::zulu(sim.clock.now()).replace('T', " ");
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let body = json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
                self.number, self.text
            ),
            "error_codes": [self.number],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("{}/error?code={}", sim.base, self.number),
        });
        (self.status, Json(body)).into_response()
    }
}

fn shared(tenant: &str) -> bool {
    matches!(tenant, "common" | "organizations")
}

fn tenant_known(sim: &Sim, tenant: &str) -> Result<(), Refusal> {
    if shared(tenant) || tenant.eq_ignore_ascii_case(&sim.options.tenant_id) {
        return Ok(());
    }
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    );
    Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_tenant", 90002, text))
}

/// For a shared endpoint the issuer is a template, literally.
fn issuer(sim: &Sim, tenant: &str) -> String {
    if shared(tenant) { format!("{}/{{tenantid}}/v2.0", sim.base) } else { sim.issuer_v2() }
}

fn metadata(sim: &Sim, _: &Received, tenant: &str) -> Result<Response, Refusal> {
    let at = format!("{}/{tenant}", sim.base);
    let body = json!({
        "token_endpoint": format!("{at}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{at}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer(sim, tenant),
        "authorization_endpoint": format!("{at}/oauth2/v2.0/authorize"),
        "tenant_region_scope": if shared(tenant) { Value::Null } else { json!("EU") },
        "cloud_instance_name": "microsoftonline.com",
    });
    Ok(([(header::CACHE_CONTROL, "max-age=86400, private")], Json(body)).into_response())
}

fn keys(sim: &Sim, _: &Received, tenant: &str) -> Result<Response, Refusal> {
    let body = sim.keys.published(&issuer(sim, tenant));
    Ok(([(header::CACHE_CONTROL, "max-age=86400, private")], Json(body)).into_response())
}

/// Client credentials with a secret, for `<resource>/.default`.
fn token(sim: &Sim, request: &Received, tenant: &str) -> Result<Response, Refusal> {
    let bad = |error, number, text: &str| Refusal::new(StatusCode::BAD_REQUEST, error, number, text);
    let media = request.header("content-type").unwrap_or_default();
    if !media.starts_with("application/x-www-form-urlencoded") {
        let text = "The request body must contain the following parameter: 'grant_type'.";
        return Err(bad("invalid_request", 900_144, text));
    }
    if shared(tenant) {
        let text = "The client credentials flow needs the endpoint of a tenant.";
        return Err(bad("unauthorized_client", 700_016, text));
    }
    let form = |name: &str| {
        request.form(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            bad(
                "invalid_request",
                900_144,
                &format!("The request body must contain the following parameter: '{name}'."),
            )
        })
    };
    if form("grant_type")? != "client_credentials" {
        return Err(bad("unsupported_grant_type", 70003, "The app requested an unsupported grant type."));
    }
    let client = form("client_id")?;
    if client != sim.app.client_id {
        let text = format!("Application with identifier '{client}' was not found in the directory '{tenant}'.");
        return Err(bad("unauthorized_client", 700_016, &text));
    }
    if form("client_secret")? != sim.app.secret {
        let text = format!("Invalid client secret provided for app '{client}'.");
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, text));
    }
    let scope = form("scope")?;
    let Some(resource) = scope.strip_suffix("/.default") else {
        let text = format!("The provided value for scope {scope} is not valid: it must end with '/.default'.");
        return Err(bad("invalid_scope", 1_002_012, &text));
    };
    let expires_at = sim.clock.now().unix_timestamp() + LIFETIME_S;
    let bare = resource.trim_end_matches('/');
    let audience = &sim.options.audience;
    let token = if bare == audience || bare.strip_prefix("api://") == Some(audience) {
        tokens::client_token(sim, audience, &sim.issuer_v2(), expires_at)
    } else if access::audiences(sim).contains(&bare) {
        tokens::client_token(sim, resource, &sim.issuer_v1(), expires_at)
    } else {
        let text = format!("The resource principal named {resource} was not found in the tenant named {tenant}.");
        return Err(bad("invalid_resource", 500_011, &text));
    };
    let body = json!({
        "token_type": "Bearer", "expires_in": LIFETIME_S, "ext_expires_in": LIFETIME_S, "access_token": token,
    });
    let fresh = [(header::CACHE_CONTROL, "no-store, no-cache"), (header::PRAGMA, "no-cache")];
    Ok((fresh, Json(body)).into_response())
}
