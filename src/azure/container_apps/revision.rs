//! A revision as the service tells it. Unknown states are no reason to fail: the service shows more than it documents.

use serde::Deserialize;
use serde_json::Value;

use crate::azure::lenient;
use crate::model::Timestamp;

/// A revision of a container app.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(from = "RevisionResource")]
pub struct Revision {
    pub name: String,
    /// May run at all; it says nothing about health, and two are active while one replaces the other.
    pub active: bool,
    pub created: Option<Timestamp>,
    pub provisioning_state: ProvisioningState,
    pub running_state: RunningState,
    pub health_state: HealthState,
    /// How many run at this moment.
    pub replicas: Option<u32>,
    /// Per cent.
    pub traffic_weight: Option<u32>,
    /// Why it could not be provisioned, redacted.
    pub provisioning_error: Option<String>,
    /// What its replicas are about, redacted.
    pub running_state_details: Option<String>,
    /// Where this revision alone is reached.
    pub fqdn: Option<String>,
    /// `None` and zero both let it be scaled to zero.
    pub min_replicas: Option<u32>,
    pub images: Vec<ContainerImage>,
}

impl Revision {
    /// Whether its replicas run, at whatever scale.
    pub fn is_running(&self) -> bool {
        match &self.running_state {
            RunningState::Running | RunningState::RunningAtMaxScale => true,
            RunningState::Other(state) => state.to_ascii_lowercase().starts_with("running"),
            _ => false,
        }
    }

    /// Whether the service has given it up. One that is merely unhealthy may still recover.
    pub fn is_failed(&self) -> bool {
        let failed = match &self.running_state {
            RunningState::Failed => true,
            // ActivationFailed and its like.
            RunningState::Other(state) => state.to_ascii_lowercase().ends_with("failed"),
            _ => false,
        };
        failed || self.provisioning_state == ProvisioningState::Failed
    }
}

/// A container of a template, and what it runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerImage {
    pub container: String,
    pub image: String,
    pub is_init: bool,
}

/// The containers and init containers of a template, in its order.
pub(super) fn images(template: &Value) -> Vec<ContainerImage> {
    let of = |kind: &'static str, is_init| {
        let containers = template.get(kind).and_then(Value::as_array).into_iter().flatten();
        containers.map(move |container| {
            let text = |name: &str| container.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            ContainerImage { container: text("name"), image: text("image"), is_init }
        })
    };
    of("containers", false).chain(of("initContainers", true)).collect()
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProvisioningState {
    Provisioning,
    Provisioned,
    Failed,
    Deprovisioning,
    Deprovisioned,
    /// A state that this version does not know, or an empty text where none was told: wait.
    Other(String),
}

impl From<Option<String>> for ProvisioningState {
    fn from(text: Option<String>) -> Self {
        let text = text.unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "provisioning" => Self::Provisioning,
            "provisioned" => Self::Provisioned,
            "failed" => Self::Failed,
            "deprovisioning" => Self::Deprovisioning,
            "deprovisioned" => Self::Deprovisioned,
            _ => Self::Other(text),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunningState {
    Running,
    RunningAtMaxScale,
    Processing,
    Stopped,
    Degraded,
    Failed,
    /// Also where no state was told.
    Unknown,
    /// A state that this version does not know: wait.
    Other(String),
}

impl From<Option<String>> for RunningState {
    fn from(text: Option<String>) -> Self {
        let Some(text) = text else { return Self::Unknown };
        match text.to_ascii_lowercase().as_str() {
            "running" => Self::Running,
            "runningatmaxscale" => Self::RunningAtMaxScale,
            "processing" => Self::Processing,
            "stopped" => Self::Stopped,
            "degraded" => Self::Degraded,
            "failed" => Self::Failed,
            "unknown" => Self::Unknown,
            _ => Self::Other(text),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HealthState {
    Healthy,
    Unhealthy,
    /// Nobody has looked, or there is nothing to look at: no failure of a revision that is scaled to zero.
    None,
    /// A state that this version does not know: wait.
    Other(String),
}

impl From<Option<String>> for HealthState {
    fn from(text: Option<String>) -> Self {
        let Some(text) = text else { return Self::None };
        match text.to_ascii_lowercase().as_str() {
            "healthy" => Self::Healthy,
            "unhealthy" => Self::Unhealthy,
            "none" => Self::None,
            _ => Self::Other(text),
        }
    }
}

#[derive(Deserialize)]
struct RevisionResource {
    name: String,
    properties: RevisionProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RevisionProperties {
    #[serde(default, deserialize_with = "lenient::or_default")]
    active: bool,
    #[serde(default, deserialize_with = "lenient::time")]
    created_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::text")]
    provisioning_state: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    running_state: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    health_state: Option<String>,
    #[serde(default, deserialize_with = "lenient::number")]
    replicas: Option<u32>,
    #[serde(default, deserialize_with = "lenient::number")]
    traffic_weight: Option<u32>,
    #[serde(default, deserialize_with = "lenient::said")]
    provisioning_error: Option<String>,
    #[serde(default, deserialize_with = "lenient::said")]
    running_state_details: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    fqdn: Option<String>,
    #[serde(default)]
    template: Value,
}

impl From<RevisionResource> for Revision {
    fn from(resource: RevisionResource) -> Self {
        let revision = resource.properties;
        let scale = revision.template.pointer("/scale/minReplicas").and_then(Value::as_u64);
        Self {
            name: resource.name,
            active: revision.active,
            created: revision.created_time,
            provisioning_state: revision.provisioning_state.into(),
            running_state: revision.running_state.into(),
            health_state: revision.health_state.into(),
            replicas: revision.replicas,
            traffic_weight: revision.traffic_weight,
            provisioning_error: revision.provisioning_error,
            running_state_details: revision.running_state_details,
            fqdn: revision.fqdn,
            min_replicas: scale.and_then(|least| u32::try_from(least).ok()),
            images: images(&revision.template),
        }
    }
}
