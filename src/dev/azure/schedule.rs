//! scheduleRun with a DockerBuildRequest: checked, then queued.

use std::fmt;

use axum::Json;
use axum::response::{IntoResponse, Response};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::sync::LazyLock;

use super::arm;
use super::arm_error::ArmError;
use super::faults::{BuildEffect, met_by_build};
use super::plan::plan;
use super::request::Received;
use super::run::{Hindrance, Run};
use super::run_view;
use super::world::{Sim, World};

/// A build that can be run.
#[derive(Clone)]
pub(super) struct BuildRequest {
    /// `repository:tag`, without the login server.
    pub(super) images: Vec<String>,
    pub(super) push: bool,
    /// Relative to the root of the archive.
    pub(super) dockerfile: String,
    /// The relative path of the upload.
    pub(super) source: String,
    pub(super) target: Option<String>,
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) cpu: u64,
    pub(super) timeout_s: i64,
    pub(super) archived: bool,
    arguments: Vec<Argument>,
}

#[derive(Clone, Deserialize)]
struct Argument {
    name: String,
    value: String,
    #[serde(default, rename = "isSecret")]
    is_secret: bool,
}

impl BuildRequest {
    pub(super) fn arguments(&self) -> Vec<(String, String)> {
        self.arguments.iter().map(|argument| (argument.name.clone(), argument.value.clone())).collect()
    }

    pub(super) fn secret_names(&self) -> Vec<String> {
        let secret = self.arguments.iter().filter(|argument| argument.is_secret);
        secret.map(|argument| argument.name.clone()).collect()
    }
}

/// Secret values stay out.
impl fmt::Debug for BuildRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildRequest")
            .field("images", &self.images)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The body as the service reads it. `noCache`, `credentials` and `agentPoolName` change nothing here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    image_names: Vec<String>,
    is_push_enabled: Option<bool>,
    docker_file_path: Option<String>,
    source_location: Option<String>,
    target: Option<String>,
    platform: Option<Platform>,
    agent_configuration: Option<AgentConfiguration>,
    #[serde(default)]
    arguments: Vec<Argument>,
    timeout: Option<i64>,
    #[serde(default)]
    is_archive_enabled: bool,
    #[serde(rename = "noCache")]
    _no_cache: Option<bool>,
}

#[derive(Deserialize)]
struct Platform {
    os: Option<String>,
    architecture: Option<String>,
}

#[derive(Deserialize)]
struct AgentConfiguration {
    cpu: Option<u64>,
}

static IMAGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::(?:[A-Za-z0-9_]|\{\{\.Run\.ID\}\})(?:[A-Za-z0-9_.-]|\{\{\.Run\.ID\}\}){0,127})?$").ok()
});

pub(super) fn schedule(sim: &Sim, request: &Received, claims: &Value) -> Result<Response, ArmError> {
    let body = arm::parsed(request)?;
    let mut world = sim.world();
    let id = queue(sim, &mut world, &body, claims)?;
    let run = world.run(&id).map(|run| run_view::scheduled(sim, run));
    Ok(Json(run).into_response())
}

/// Checks a run request and queues it; the id of the new run.
pub(super) fn queue(sim: &Sim, world: &mut World, body: &Value, claims: &Value) -> Result<String, ArmError> {
    let build = checked(world, body)?;
    let effects = met_by_build(&mut sim.faults(), &build.images);
    let now = sim.clock.now();
    let changed_by = arm::changed_by(claims, now);
    let archive = world.uploads.get(&build.source).cloned().flatten();
    let id = format!("cf{}", base_36(world.runs.len() + 1));
    let plan = plan(&id, &build, archive.as_deref(), sim.login_server(), &effects);
    let mut hindrance = Hindrance { stuck: false, lag: [0, 0, 1, 2][world.rng.usize(0..4)] };
    for effect in &effects {
        match effect {
            BuildEffect::StuckQueued => hindrance.stuck = true,
            BuildEffect::LogLag { beats } => hindrance.lag = *beats,
            _ => {}
        }
    }
    world.runs.push(Run::new(id.clone(), build, changed_by, now, plan, hindrance));
    Ok(id)
}

fn invalid(message: impl Into<String>) -> ArmError {
    ArmError::bad_request("TaskRequestInvalid", message)
}

fn checked(world: &World, body: &Value) -> Result<BuildRequest, ArmError> {
    match body["type"].as_str() {
        Some("DockerBuildRequest") => {}
        Some(other) => return Err(invalid(format!("The run request type '{other}' is not supported here."))),
        None => return Err(invalid("The run request has no 'type'.")),
    }
    let body: Body =
        Body::deserialize(body).map_err(|error| invalid(format!("The run request is invalid: {error}.")))?;
    let present = |value: Option<String>, name: &str| {
        value
            .filter(|value| !value.trim().is_empty())
            .ok_or_else(|| invalid(format!("The property '{name}' is required.")))
    };
    let dockerfile = present(body.docker_file_path, "dockerFilePath")?;
    let platform = body.platform.ok_or_else(|| invalid("The property 'platform' is required."))?;
    let os = present(platform.os, "platform.os")?;
    one_of(&os, "platform.os", &["Linux", "Windows"])?;
    let architecture = platform.architecture.unwrap_or_else(|| "amd64".into());
    one_of(&architecture, "platform.architecture", &["amd64", "x86", "386", "arm", "arm64"])?;
    let source = present(body.source_location, "sourceLocation")?;
    if !world.uploads.contains_key(&source) {
        return Err(invalid("The 'sourceLocation' is no relative path that listBuildSourceUploadUrl gave out."));
    }
    for image in &body.image_names {
        if !IMAGE.as_ref().is_some_and(|form| form.is_match(image)) || image.contains(".azurecr.io/") {
            return Err(invalid(format!("The image name '{image}' is not of the form repository:tag.")));
        }
    }
    if body.arguments.iter().any(|argument| argument.name.trim().is_empty()) {
        return Err(invalid("An argument has no name."));
    }
    let timeout_s = body.timeout.unwrap_or(3600);
    if !(300..=28800).contains(&timeout_s) {
        return Err(invalid(format!("The timeout {timeout_s} is not between 300 and 28800 seconds.")));
    }
    Ok(BuildRequest {
        images: body.image_names,
        push: body.is_push_enabled.unwrap_or(true),
        dockerfile,
        source,
        target: body.target,
        os: os.to_lowercase(),
        architecture: architecture.to_lowercase(),
        cpu: body.agent_configuration.and_then(|agent| agent.cpu).unwrap_or(2),
        timeout_s,
        archived: body.is_archive_enabled,
        arguments: body.arguments,
    })
}

fn one_of(value: &str, name: &str, values: &[&str]) -> Result<(), ArmError> {
    if values.iter().any(|known| known.eq_ignore_ascii_case(value)) {
        return Ok(());
    }
    Err(invalid(format!("The value '{value}' of '{name}' is none of {}.", values.join(", "))))
}

fn base_36(mut number: usize) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[number % 36] as char);
        number /= 36;
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_names_are_repositories_with_a_tag_and_without_a_registry() {
        let fits = |name: &str| IMAGE.as_ref().unwrap().is_match(name);
        for name in ["elb-api:v1.2.3", "a/b_c:latest", "x", "x:{{.Run.ID}}", "x:pre-{{.Run.ID}}"] {
            assert!(fits(name), "{name}");
        }
        for name in ["", "Elb:v1", "a:", "a:b:c", "a b", "/a:1", "a:{{.Run.Date}}", "reg.azurecr.io:80/a:1"] {
            assert!(!fits(name), "{name}");
        }
    }

    #[test]
    fn run_ids_count_in_base_36() {
        assert_eq!([1, 10, 35, 36, 37].map(base_36), ["1", "a", "z", "10", "11"]);
    }
}
