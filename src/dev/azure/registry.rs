//! The registry itself. Shape: recorded answers of api-version 2026-01-01-preview.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::world::Sim;

pub(super) const LOCATION: &str = "westeurope";
/// As some providers write it.
pub(super) const LOCATION_SHOWN: &str = "West Europe";

pub(super) fn get(sim: &Sim) -> Response {
    let disabled = json!({"status": "disabled"});
    Json(json!({
        "sku": {"name": "Standard", "tier": "Standard"},
        "type": "Microsoft.ContainerRegistry/registries",
        "id": sim.registry_id(),
        "name": sim.options.registry,
        "location": LOCATION,
        "tags": {},
        "properties": {
            "loginServer": sim.login_server(),
            "creationDate": "2026-03-24T00:38:49.8053466Z",
            "provisioningState": "Succeeded",
            "adminUserEnabled": false,
            "policies": {
                "quarantinePolicy": disabled,
                "trustPolicy": {"type": "Notary", "status": "disabled"},
                "retentionPolicy": {
                    "days": 7, "lastUpdatedTime": "2026-03-24T00:38:57.5373551+00:00", "status": "disabled",
                },
                "exportPolicy": {"status": "enabled"},
                "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
            },
            "encryption": disabled,
            "dataEndpointEnabled": false,
            "dataEndpointHostNames": [],
            "privateEndpointConnections": [],
            "publicNetworkAccess": "Enabled",
            "networkRuleBypassOptions": "AzureServices",
            "networkRuleBypassAllowedForTasks": false,
            "zoneRedundancy": "Disabled",
            "anonymousPullEnabled": false,
            "roleAssignmentMode": "LegacyRegistryPermissions",
        },
    }))
    .into_response()
}
