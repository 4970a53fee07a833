//! Resource Manager: the checks that every call passes before a resource provider sees it, and the headers that
//! every answer carries.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::arm_error::ArmError;
use super::arm_headers::decorate;
use super::arm_versions::{
    REGISTRY_VERSIONS, SUBSCRIPTION_VERSIONS, TASK_RUN_VERSIONS, TASK_VERSIONS, provided, supported,
};
use super::request::Received;
use super::world::Sim;
use super::{access, clock, registry, runs, schedule, task_runs, uploads};

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
    let within = registry_part(sim, below)?;
    body_is_json(request)?;
    dispatch(sim, request, &version, &claims, within)
}

/// What follows the registry in the path.
fn registry_part<'a>(sim: &Sim, below: &'a [&'a str]) -> Result<&'a [&'a str], ArmError> {
    let named = |index: usize, name: &str| below.get(index).is_some_and(|part| part.eq_ignore_ascii_case(name));
    if !(named(0, "resourceGroups") && named(2, "providers") && named(3, "Microsoft.ContainerRegistry")) {
        return Err(unknown_type(below.get(3).unwrap_or(&"Microsoft.Resources"), below.get(4).unwrap_or(&"")));
    }
    let group = below[1];
    if !group.eq_ignore_ascii_case(&sim.options.resource_group) {
        let message = format!("Resource group '{group}' could not be found.");
        return Err(ArmError::not_found("ResourceGroupNotFound", message));
    }
    let (true, Some(registry)) = (named(4, "registries"), below.get(5)) else {
        return Err(unknown_type(below[3], below.get(4).unwrap_or(&"")));
    };
    if !registry.eq_ignore_ascii_case(&sim.options.registry) {
        return Err(ArmError::not_found(
            "ResourceNotFound",
            format!(
                "The Resource 'Microsoft.ContainerRegistry/registries/{registry}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        ));
    }
    Ok(&below[6..])
}

fn dispatch(
    sim: &Sim,
    request: &Received,
    version: &str,
    claims: &Value,
    within: &[&str],
) -> Result<Response, ArmError> {
    let lower: Vec<String> = within.iter().map(|segment| segment.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let provided = |kind: &str, versions: &[&str]| provided(kind, version, versions);
    let only = |method: Method| expect(request, &[method]);
    match lower[..] {
        [] => {
            provided("registries", &REGISTRY_VERSIONS)?;
            only(Method::GET)?;
            Ok(registry::get(sim))
        }
        ["listbuildsourceuploadurl"] => {
            provided("registries/listBuildSourceUploadUrl", &TASK_VERSIONS)?;
            only(Method::POST)?;
            Ok(uploads::offer(sim))
        }
        ["schedulerun"] => {
            provided("registries/scheduleRun", &TASK_VERSIONS)?;
            only(Method::POST)?;
            schedule::schedule(sim, request, claims)
        }
        ["runs"] => {
            provided("registries/runs", &TASK_VERSIONS)?;
            only(Method::GET)?;
            runs::list(sim, request)
        }
        ["runs", run] => {
            provided("registries/runs", &TASK_VERSIONS)?;
            only(Method::GET)?;
            runs::get(sim, run)
        }
        ["runs", run, "listlogsasurl"] => {
            provided("registries/runs/listLogSasUrl", &TASK_VERSIONS)?;
            only(Method::POST)?;
            runs::log_link(sim, run)
        }
        ["runs", run, "cancel"] => {
            provided("registries/runs/cancel", &TASK_VERSIONS)?;
            only(Method::POST)?;
            runs::cancel(sim, run)
        }
        ["taskruns"] => {
            provided("registries/taskRuns", &TASK_RUN_VERSIONS)?;
            only(Method::GET)?;
            Ok(task_runs::list(sim))
        }
        ["taskruns", _] => {
            provided("registries/taskRuns", &TASK_RUN_VERSIONS)?;
            expect(request, &[Method::GET, Method::PUT, Method::DELETE])?;
            task_runs::one(sim, request, claims, within[1])
        }
        _ => Err(unknown_type("Microsoft.ContainerRegistry", &format!("registries/{}", within.join("/")))),
    }
}

fn expect(request: &Received, methods: &[Method]) -> Result<(), ArmError> {
    if methods.contains(&request.parts.method) {
        return Ok(());
    }
    let message = format!("The requested resource does not support http method '{}'.", request.parts.method);
    Err(ArmError::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message))
}

fn unknown_type(namespace: &str, kind: &str) -> ArmError {
    let message =
        format!("The resource type '{kind}' could not be found in the namespace '{namespace}' for the api version.");
    ArmError::not_found("InvalidResourceType", message)
}

/// A body needs its media type and must be JSON; a POST or PUT without a length is refused before anybody reads it.
fn body_is_json(request: &Received) -> Result<(), ArmError> {
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
