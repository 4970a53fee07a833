//! Whether a revision's images can be pulled. They are looked at when it is provisioned, not when it is asked for.

use serde_json::Value;

use crate::dev::azure::dataplane::Registry;
use crate::dev::azure::world::Sim;

/// Registries that anybody may pull from.
const PUBLIC: [&str; 6] = ["docker.io", "mcr.microsoft.com", "ghcr.io", "quay.io", "public.ecr.aws", "registry.k8s.io"];

/// The images of all containers, those of init containers last.
pub(super) fn of(template: &Value) -> Vec<String> {
    let kinds = ["containers", "initContainers"].iter().filter_map(|kind| template[*kind].as_array());
    kinds.flatten().filter_map(|container| container["image"].as_str()).map(str::to_owned).collect()
}

/// Why an image cannot be pulled.
pub(super) fn problem(sim: &Sim, registry: &Registry, image: &str) -> Option<String> {
    let (host, name) = match image.split_once('/') {
        Some((host, name)) if host.contains(['.', ':']) || host == "localhost" => (host, name),
        _ => return None,
    };
    if PUBLIC.contains(&host) {
        return None;
    }
    if host != sim.login_server() {
        return Some(unauthorized(image, host));
    }
    if registry.holds(name) { None } else { Some(unknown(image, name)) }
}

fn repository(name: &str) -> &str {
    name.split(['@', ':']).next().unwrap_or_default()
}

/// What is said of an image that may not be pulled.
pub(super) fn unauthorized(image: &str, host: &str) -> String {
    let name = image.strip_prefix(host).unwrap_or(image).trim_start_matches('/');
    format!(
        "Invalid value: \"{image}\": GET https:?scope=repository%3A{}%3Apull&service={host}: UNAUTHORIZED: authentication required, visit https://aka.ms/acr/authorization for more information.",
        repository(name).replace('/', "%2F")
    )
}

fn unknown(image: &str, name: &str) -> String {
    let repository = repository(name);
    let reference = name.get(repository.len() + 1..).unwrap_or("latest");
    format!(
        "Invalid value: \"{image}\": GET https:: MANIFEST_UNKNOWN: manifest tagged by \"{reference}\" is not found; map[Name:{repository} Tag:{reference}]"
    )
}
