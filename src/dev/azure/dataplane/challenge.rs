//! Where tokens are to be had, and whether a call brings one that suffices.

use serde_json::{Value, json};

use super::error::RegistryError;
use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;

fn challenge(sim: &Sim) -> String {
    format!("Bearer realm=\"{}/oauth2/token\",service=\"{}\"", sim.base, sim.login_server())
}

/// The access token of a call; without one that can be believed the answer is a challenge.
pub(super) fn access(sim: &Sim, request: &Received, scope: Option<&str>) -> Result<Value, RegistryError> {
    let header = request.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
    header.and_then(|token| sim.registry_tokens.access(sim, token)).ok_or_else(|| {
        let scope = scope.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
        RegistryError::unauthorized(Value::Null).challenging(challenge(sim) + &scope)
    })
}

/// Refuses a call whose token does not allow `action` on the repository.
pub(super) fn allow(sim: &Sim, request: &Received, repository: &str, action: &str) -> Result<(), RegistryError> {
    let scope = format!("repository:{repository}:{action}");
    let claims = access(sim, request, Some(&scope))?;
    let granted = claims["access"].as_array().into_iter().flatten().any(|entry| {
        let actions = entry["actions"].as_array();
        let has = actions.is_some_and(|actions| actions.iter().any(|it| it == action || it == "*"));
        entry["type"] == "repository" && entry["name"] == repository && has
    });
    if granted {
        return Ok(());
    }
    let detail = json!([{"Type": "repository", "Class": "", "Name": repository, "Action": action}]);
    let told = format!("{},scope=\"{scope}\",error=\"insufficient_scope\"", challenge(sim));
    Err(RegistryError::unauthorized(detail).challenging(told))
}
