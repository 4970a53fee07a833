//! What can be asked of `Microsoft.ContainerRegistry`.

use axum::http::Method;
use axum::response::Response;
use serde_json::Value;

use super::arm::{body_is_json, expect, unknown_type};
use super::arm_error::ArmError;
use super::arm_versions::{REGISTRY_VERSIONS, TASK_RUN_VERSIONS, TASK_VERSIONS, provided};
use super::request::Received;
use super::world::Sim;
use super::{registry, runs, schedule, task_runs, uploads};

/// A call to the provider; `below` follows the provider in the path.
pub(super) fn serve(
    sim: &Sim,
    request: &Received,
    version: &str,
    claims: &Value,
    group: Option<&str>,
    below: &[&str],
) -> Result<Response, ArmError> {
    let [kind, registry, within @ ..] = below else {
        return Err(unknown_type("Microsoft.ContainerRegistry", below.first().unwrap_or(&"")));
    };
    if !kind.eq_ignore_ascii_case("registries") {
        return Err(unknown_type("Microsoft.ContainerRegistry", kind));
    }
    if !registry.eq_ignore_ascii_case(&sim.options.registry) {
        let named = format!("Microsoft.ContainerRegistry/registries/{registry}");
        return Err(ArmError::resource_not_found(&named, group.unwrap_or_default()));
    }
    body_is_json(request)?;
    dispatch(sim, request, version, claims, within)
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
