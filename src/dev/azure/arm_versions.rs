//! Which api-versions each resource type is known in. Registry: the list in the service's own refusals; tasks: the
//! service's descriptions.

use super::arm_error::ArmError;
use super::registry;

pub(super) const REGISTRY_VERSIONS: [&str; 21] = [
    "2017-03-01",
    "2017-10-01",
    "2019-05-01",
    "2019-12-01-preview",
    "2020-11-01-preview",
    "2021-06-01-preview",
    "2021-08-01-preview",
    "2021-09-01",
    "2021-12-01-preview",
    "2022-02-01-preview",
    "2022-12-01",
    "2023-01-01-preview",
    "2023-06-01-preview",
    "2023-07-01",
    "2023-08-01-preview",
    "2023-11-01-preview",
    "2024-11-01-preview",
    "2025-04-01",
    "2025-06-01-preview",
    "2025-11-01",
    "2026-01-01-preview",
];
pub(super) const TASK_VERSIONS: [&str; 4] = ["2018-09-01", "2019-04-01", "2019-06-01-preview", "2025-03-01-preview"];
pub(super) const TASK_RUN_VERSIONS: [&str; 2] = ["2019-06-01-preview", "2025-03-01-preview"];
/// Those of examples and recordings; previews are left out.
pub(super) const APP_VERSIONS: [&str; 8] =
    ["2022-03-01", "2022-10-01", "2023-05-01", "2024-03-01", "2025-01-01", "2025-07-01", "2026-01-01", "2026-07-01"];
pub(super) const SUBSCRIPTION_VERSIONS: [&str; 6] =
    ["2016-06-01", "2019-06-01", "2020-01-01", "2021-01-01", "2022-09-01", "2022-12-01"];

/// For what Resource Manager serves itself.
pub(super) fn supported(version: &str, versions: &[&str]) -> Result<(), ArmError> {
    if versions.contains(&version) {
        return Ok(());
    }
    let message =
        format!("The api-version '{version}' is invalid. The supported versions are '{}'.", versions.join(","));
    Err(ArmError::bad_request("InvalidApiVersionParameter", message))
}

/// For what a resource provider serves.
pub(super) fn provided(kind: &str, version: &str, versions: &[&str]) -> Result<(), ArmError> {
    if versions.contains(&version) {
        return Ok(());
    }
    let message = format!(
        "No registered resource provider found for location '{}' and API version '{version}' for type '{kind}'. The supported api-versions are '{}'. The supported locations are '{}'.",
        registry::LOCATION,
        versions.join(", "),
        registry::LOCATION,
    );
    Err(ArmError::bad_request("NoRegisteredProviderFound", message))
}
