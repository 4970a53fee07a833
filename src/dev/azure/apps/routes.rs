//! What can be asked of `Microsoft.App`.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::{operation, patch, replicas, revisions, secrets, view};
use crate::dev::azure::arm;
use crate::dev::azure::arm_error::ArmError;
use crate::dev::azure::arm_versions::{APP_VERSIONS, provided};
use crate::dev::azure::registry::LOCATION;
use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;

const NAMESPACE: &str = "Microsoft.App";

/// A call to the provider. `group` is the resource group, or none for what belongs to the whole subscription;
/// `below` follows the provider in the path.
pub(in crate::dev::azure) fn serve(
    sim: &Sim,
    request: &Received,
    version: &str,
    claims: &Value,
    group: Option<&str>,
    below: &[&str],
) -> Result<Response, ArmError> {
    let lower: Vec<String> = below.iter().map(|segment| segment.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (group, &lower[..]) {
        (None, ["locations", place, kind, _]) => {
            let Some(kind) = kind.strip_prefix("containerappoperation") else {
                return Err(arm::unknown_type(NAMESPACE, &below.join("/")));
            };
            provided(&format!("locations/containerappOperation{kind}"), version, &APP_VERSIONS)?;
            arm::expect(request, &[Method::GET])?;
            if *place != LOCATION || !["statuses", "results"].contains(&kind) {
                return Err(arm::unknown_type(NAMESPACE, &below.join("/")));
            }
            operation::follow(sim, request, kind, below[3], version)
        }
        (Some(group), ["containerapps", name, within @ ..]) => {
            provided("containerApps", version, &APP_VERSIONS)?;
            if !name.eq_ignore_ascii_case(&sim.options.container_app) {
                let named = format!("{NAMESPACE}/containerApps/{}", below[1]);
                return Err(ArmError::resource_not_found(&named, group));
            }
            arm::body_is_json(request)?;
            within_app(sim, request, version, claims, within, &below[2..])
        }
        _ => Err(arm::unknown_type(NAMESPACE, &below.join("/"))),
    }
}

fn within_app(
    sim: &Sim,
    request: &Received,
    version: &str,
    claims: &Value,
    within: &[&str],
    as_written: &[&str],
) -> Result<Response, ArmError> {
    let only = |method: Method| arm::expect(request, &[method]);
    match within {
        [] => {
            arm::expect(request, &[Method::GET, Method::PATCH, Method::PUT, Method::DELETE])?;
            match request.parts.method {
                Method::PATCH => patch::patch(sim, request, claims, version),
                Method::DELETE => patch::delete(sim, version),
                Method::PUT => Err(not_simulated()),
                _ => get(sim),
            }
        }
        ["listsecrets"] => {
            only(Method::POST)?;
            secrets::list(sim)
        }
        ["revisions"] => {
            only(Method::GET)?;
            revisions::list(sim, request)
        }
        ["revisions", _] => {
            only(Method::GET)?;
            revisions::get(sim, as_written[1])
        }
        ["revisions", _, action @ ("activate" | "deactivate" | "restart")] => {
            only(Method::POST)?;
            revisions::act(sim, as_written[1], action)
        }
        ["revisions", _, "replicas"] => {
            only(Method::GET)?;
            replicas::list(sim, as_written[1])
        }
        ["revisions", _, "replicas", _] => {
            only(Method::GET)?;
            replicas::get(sim, as_written[1], as_written[3])
        }
        _ => Err(arm::unknown_type(NAMESPACE, &format!("containerApps/{}", as_written.join("/")))),
    }
}

fn get(sim: &Sim) -> Result<Response, ArmError> {
    let mut world = sim.world();
    world.look_at_app(sim);
    let app = world.apps.app.as_ref().ok_or_else(|| super::missing(sim))?;
    Ok(Json(view::app(sim, app)).into_response())
}

/// A whole replacement would reset whatever it leaves out; nobody here has a use for it.
fn not_simulated() -> ArmError {
    ArmError::new(StatusCode::BAD_REQUEST, "NotSimulated", "PUT of a container app is not simulated; send a PATCH.")
}
