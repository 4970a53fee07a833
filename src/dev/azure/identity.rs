//! The managed identity endpoint of App Service, protocol 2019-08-01.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use super::request::Received;
use super::world::Sim;
use super::{access, tokens};

const LIFETIME_S: i64 = 24 * 60 * 60;

/// Resources beside Resource Manager that the identity may ask for.
const RESOURCES: [&str; 5] = [
    "https://storage.azure.com",
    "https://vault.azure.net",
    "https://containerregistry.azure.net",
    "https://graph.microsoft.com",
    "https://monitor.azure.com",
];

pub(super) fn answer(sim: &Sim, request: &Received) -> Response {
    if request.header("x-identity-header") != Some(&sim.identity.header) {
        return refusal(StatusCode::UNAUTHORIZED, "The X-IDENTITY-HEADER is missing or not the current one.");
    }
    if request.query("api-version").as_deref() != Some("2019-08-01") {
        return refusal(StatusCode::BAD_REQUEST, "The api-version is missing or not supported.");
    }
    let asked = ["client_id", "principal_id", "object_id", "mi_res_id"].map(|name| request.query(name));
    let known = [&sim.identity.client_id, &sim.identity.object_id, &sim.identity.object_id];
    let ours = asked.iter().zip(known).all(|(asked, known)| asked.as_ref().is_none_or(|asked| asked == known));
    if asked.iter().flatten().count() > 1 || asked[3].is_some() || !ours {
        return refusal(StatusCode::BAD_REQUEST, "Unable to load the proper Managed Identity.");
    }
    let Some(resource) = request.query("resource").filter(|resource| !resource.is_empty()) else {
        return refusal(StatusCode::BAD_REQUEST, "The parameter 'resource' is missing.");
    };
    let bare = resource.trim_end_matches('/');
    if !access::audiences(sim).contains(&bare) && !RESOURCES.contains(&bare) {
        let message = format!(
            "AADSTS500011: The resource principal named {resource} was not found in the tenant named {}.",
            sim.options.tenant_id
        );
        return refusal(StatusCode::BAD_REQUEST, &message);
    }
    let expires_at = sim.clock.now().unix_timestamp() + LIFETIME_S;
    Json(json!({
        "access_token": tokens::managed_identity_token(sim, &resource, expires_at),
        "expires_on": expires_at.to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": sim.identity.client_id.to_uppercase(),
    }))
    .into_response()
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let correlation = Uuid::new_v4().to_string();
    (status, Json(json!({"statusCode": status.as_u16(), "message": message, "correlationId": correlation})))
        .into_response()
}
