//! Resource Manager: the checks that every call passes before a resource provider sees it, and the headers that
//! every answer carries.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::arm_error::ArmError;
use super::arm_headers::decorate;
use super::arm_versions::{SUBSCRIPTION_VERSIONS, supported};
use super::request::Received;
use super::world::Sim;
use super::{access, apps, clock, registry_routes};

pub(super) fn owns(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|first| first.eq_ignore_ascii_case("subscriptions"))
}

pub(super) fn answer(sim: &Sim, request: &Received) -> Response {
    let mut response = serve(sim, request).unwrap_or_else(ArmError::into_response);
    decorate(sim, request, response.headers_mut());
    response
}

fn serve(sim: &Sim, request: &Received) -> Result<Response, ArmError> {
    let claims = access::caller(sim, request)?;
    let segments: Vec<&str> = request.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let version = request.query("api-version").filter(|version| !version.is_empty()).ok_or_else(|| {
        ArmError::bad_request(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    })?;
    let subscription = segments.get(1).copied().unwrap_or_default();
    if !subscription.eq_ignore_ascii_case(&sim.options.subscription_id) {
        let message = format!("The subscription '{subscription}' could not be found.");
        return Err(ArmError::not_found("SubscriptionNotFound", message));
    }
    let Some(below) = segments.get(2..).filter(|below| !below.is_empty()) else {
        supported(&version, &SUBSCRIPTION_VERSIONS)?;
        return expect(request, &[Method::GET]).map(|()| described(sim));
    };
    provider(sim, request, &version, &claims, below)
}

/// Hands the call to the resource provider that is named in the path below the subscription.
fn provider(
    sim: &Sim,
    request: &Received,
    version: &str,
    claims: &Value,
    below: &[&str],
) -> Result<Response, ArmError> {
    let named = |index: usize, name: &str| below.get(index).is_some_and(|part| part.eq_ignore_ascii_case(name));
    let (group, within) = match below {
        [groups, group, providers, within @ ..]
            if groups.eq_ignore_ascii_case("resourceGroups") && providers.eq_ignore_ascii_case("providers") =>
        {
            (Some(*group), within)
        }
        [_, within @ ..] if named(0, "providers") => (None, within),
        _ => return Err(unknown_type(below.get(3).unwrap_or(&"Microsoft.Resources"), below.get(4).unwrap_or(&""))),
    };
    let [namespace, within @ ..] = within else { return Err(unknown_type("Microsoft.Resources", "")) };
    let serve = match (namespace.to_lowercase().as_str(), group) {
        ("microsoft.containerregistry", Some(_)) => registry_routes::serve,
        ("microsoft.app", _) => apps::serve,
        _ => return Err(unknown_type(namespace, within.first().unwrap_or(&""))),
    };
    if let Some(group) = group.filter(|group| !group.eq_ignore_ascii_case(&sim.options.resource_group)) {
        let message = format!("Resource group '{group}' could not be found.");
        return Err(ArmError::not_found("ResourceGroupNotFound", message));
    }
    serve(sim, request, version, claims, group, within)
}

pub(super) fn expect(request: &Received, methods: &[Method]) -> Result<(), ArmError> {
    if methods.contains(&request.parts.method) {
        return Ok(());
    }
    let message = format!("The requested resource does not support http method '{}'.", request.parts.method);
    Err(ArmError::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message))
}

pub(super) fn unknown_type(namespace: &str, kind: &str) -> ArmError {
    let message =
        format!("The resource type '{kind}' could not be found in the namespace '{namespace}' for the api version.");
    ArmError::not_found("InvalidResourceType", message)
}

/// A body needs its media type and must be JSON; a POST or PUT without a length is refused before anybody reads it.
pub(super) fn body_is_json(request: &Received) -> Result<(), ArmError> {
    let sends = matches!(request.parts.method, Method::POST | Method::PUT | Method::PATCH);
    let sized = ["content-length", "transfer-encoding"].iter().any(|name| request.header(name).is_some());
    if sends && !sized {
        let message = "HTTP Error 411. The request must be chunked or have a content length.";
        return Err(ArmError::new(StatusCode::LENGTH_REQUIRED, "LengthRequired", message));
    }
    if request.body.is_empty() {
        return Ok(());
    }
    let given = request.header("content-type");
    let media = given.and_then(|value| value.split(';').next()).map(str::trim);
    if !media.is_some_and(|media| media.eq_ignore_ascii_case("application/json")) {
        let message = format!(
            "The content media type '{}' is not supported. Only 'application/json' is supported.",
            given.unwrap_or("<null>")
        );
        return Err(ArmError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message));
    }
    parsed(request).map(drop)
}

/// The body as JSON.
pub(super) fn parsed(request: &Received) -> Result<Value, ArmError> {
    serde_json::from_slice(&request.body).map_err(|error| {
        let message = format!("The request content was invalid and could not be deserialized: '{error}'.");
        ArmError::bad_request("InvalidRequestContent", message)
    })
}

/// Who made a change, as resources tell it.
pub(super) fn changed_by(claims: &Value, at: time::OffsetDateTime) -> Value {
    let person = claims["scp"].is_string();
    let who = if person { &claims["preferred_username"] } else { &claims["oid"] };
    json!({
        "lastModifiedBy": who,
        "lastModifiedByType": if person { "User" } else { "Application" },
        "lastModifiedAt": clock::precise(at),
    })
}

fn described(sim: &Sim) -> Response {
    let id = &sim.options.subscription_id;
    axum::Json(json!({
        "id": format!("/subscriptions/{id}"),
        "subscriptionId": id,
        "tenantId": sim.options.tenant_id,
        "displayName": "Simulated subscription",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Internal_2014-09-01", "quotaId": "Internal_2014-09-01", "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }))
    .into_response()
}
