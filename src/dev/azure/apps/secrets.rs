//! The app's secrets: given with values, told by name alone, and referred to.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::dev::azure::arm_error::ArmError;
use crate::dev::azure::world::Sim;

/// With values: nobody may log this answer.
pub(super) fn list(sim: &Sim) -> Result<Response, ArmError> {
    let world = sim.world();
    let app = world.apps.app.as_ref().ok_or_else(|| super::missing(sim))?;
    let secrets = app.configuration()["secrets"].as_array().cloned().unwrap_or_default();
    Ok(Json(json!({"value": secrets})).into_response())
}

pub(super) fn check(configuration: &Value, template: &Value) -> Result<(), ArmError> {
    let secrets = match &configuration["secrets"] {
        Value::Null => &[][..],
        Value::Array(secrets) => secrets,
        _ => return Err(ArmError::bad_request("ContainerAppSecretInvalid", "The secrets are not a list.")),
    };
    for secret in secrets {
        let name = secret["name"].as_str().unwrap_or_default();
        let given = secret["value"].as_str().is_some_and(|value| !value.is_empty());
        if name.is_empty() || !(given || secret["keyVaultUrl"].is_string()) {
            let message = format!("The secret '{name}' has no name, or neither a value nor a keyVaultUrl.");
            return Err(ArmError::bad_request("ContainerAppSecretInvalid", message));
        }
    }
    let known = |name: &Value| secrets.iter().any(|secret| secret["name"] == *name);
    for (owner, reference) in references(configuration, template) {
        if !known(reference) {
            let name = reference.as_str().unwrap_or_default();
            let message = format!("SecretRef '{name}' defined for {owner} not found.");
            return Err(ArmError::bad_request("ContainerAppSecretRefNotFound", message));
        }
    }
    Ok(())
}

/// Who refers to a secret, and by which name.
fn references<'a>(configuration: &'a Value, template: &'a Value) -> Vec<(String, &'a Value)> {
    let each = |of: &'a Value| of.as_array().map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for container in each(&template["containers"]).iter().chain(each(&template["initContainers"])) {
        let owner = format!("container '{}'", container["name"].as_str().unwrap_or_default());
        found.extend(each(&container["env"]).iter().map(|variable| (owner.clone(), &variable["secretRef"])));
    }
    for volume in each(&template["volumes"]) {
        let owner = format!("volume '{}'", volume["name"].as_str().unwrap_or_default());
        found.extend(each(&volume["secrets"]).iter().map(|secret| (owner.clone(), &secret["secretRef"])));
    }
    for registry in each(&configuration["registries"]) {
        let owner = format!("registry '{}'", registry["server"].as_str().unwrap_or_default());
        found.push((owner, &registry["passwordSecretRef"]));
    }
    found.retain(|(_, reference)| reference.as_str().is_some_and(|name| !name.is_empty()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_need_values_and_references_need_secrets() {
        let template = json!({"containers": [{"name": "a", "env": [{"name": "K", "secretRef": "k"}, {"name": "L", "value": "1"}]}]});
        let of = |secrets: Value| check(&json!({"secrets": secrets}), &template).map_err(|error| error.code);
        assert_eq!(of(json!([{"name": "k", "value": "v"}])), Ok(()));
        assert_eq!(of(json!([{"name": "k", "keyVaultUrl": "https://vault"}])), Ok(()));
        assert_eq!(of(json!([{"name": "k"}])), Err("ContainerAppSecretInvalid"));
        assert_eq!(of(json!([{"name": "other", "value": "v"}])), Err("ContainerAppSecretRefNotFound"));
        assert_eq!(of(Value::Null), Err("ContainerAppSecretRefNotFound"));
    }
}
