//! The app as the service tells it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::revision::{ContainerImage, images};
use crate::azure::lenient;

/// A container app.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(from = "AppResource")]
pub struct ContainerApp {
    /// In the service's own casing, which is not always the one that was asked with.
    pub id: String,
    pub name: String,
    /// Often in its display form, `East US`; may be sent back so.
    pub location: String,
    pub provisioning_state: AppState,
    /// `Running`, `Stopped`, …; it says nothing about the newest revision.
    pub running_status: Option<String>,
    /// The newest revision; `None` before the first.
    pub latest_revision: Option<String>,
    /// The newest revision that was ready at one time. Another than `latest_revision` means that the newest is not.
    pub latest_ready_revision: Option<String>,
    pub latest_revision_fqdn: Option<String>,
    /// `None` without ingress.
    pub fqdn: Option<String>,
    pub mode: RevisionMode,
    /// Means nothing in [`RevisionMode::Single`].
    pub traffic: Vec<TrafficWeight>,
    /// `None` means the service's own default, a hundred.
    pub max_inactive_revisions: Option<u32>,
    /// The suffix that is stored in the template: a change that names none would use it again, and be refused.
    pub revision_suffix: Option<String>,
    /// As it came, all containers included. May hold secrets in plain text.
    pub template: Value,
}

impl ContainerApp {
    /// The images of the containers and init containers, in the template's order.
    pub fn images(&self) -> Vec<ContainerImage> {
        images(&self.template)
    }
}

impl fmt::Debug for ContainerApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerApp")
            .field("id", &self.id)
            .field("provisioning_state", &self.provisioning_state)
            .field("latest_revision", &self.latest_revision)
            .field("latest_ready_revision", &self.latest_ready_revision)
            .finish_non_exhaustive()
    }
}

/// The state of the app's last change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppState {
    InProgress,
    Succeeded,
    Failed,
    Canceled,
    Deleting,
    /// A state that this version does not know; the change is taken to go on.
    Other(String),
}

impl AppState {
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

impl From<Option<String>> for AppState {
    fn from(text: Option<String>) -> Self {
        let Some(text) = text else {
            // A resource that tells no state has nothing going on.
            return Self::Succeeded;
        };
        match text.to_ascii_lowercase().as_str() {
            "inprogress" => Self::InProgress,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "canceled" | "cancelled" => Self::Canceled,
            "deleting" => Self::Deleting,
            _ => Self::Other(text),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RevisionMode {
    /// The newest revision takes all traffic once it is ready, and the one before it is deactivated.
    Single,
    /// Nothing moves by itself. A mode that this version does not know is taken for this one.
    Multiple,
}

impl From<Option<String>> for RevisionMode {
    fn from(text: Option<String>) -> Self {
        // The service's default is not always told.
        if text.is_none_or(|text| text.eq_ignore_ascii_case("Single")) { Self::Single } else { Self::Multiple }
    }
}

/// One entry of the ingress's traffic. Serializes as the service wants it: a change of traffic sends all entries.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrafficWeight {
    /// `None` where `latest_revision` is meant.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::text")]
    pub revision_name: Option<String>,
    /// Whatever revision is the newest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not", deserialize_with = "lenient::or_default")]
    pub latest_revision: bool,
    /// Per cent.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub weight: u32,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::text")]
    pub label: Option<String>,
}

#[derive(Deserialize)]
struct AppResource {
    id: String,
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    location: String,
    properties: AppProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppProperties {
    #[serde(default, deserialize_with = "lenient::text")]
    provisioning_state: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    running_status: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    latest_revision_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    latest_ready_revision_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    latest_revision_fqdn: Option<String>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    configuration: Configuration,
    #[serde(default)]
    template: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    #[serde(default, deserialize_with = "lenient::text")]
    active_revisions_mode: Option<String>,
    #[serde(default, deserialize_with = "lenient::number")]
    max_inactive_revisions: Option<u32>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    ingress: Ingress,
}

#[derive(Default, Deserialize)]
struct Ingress {
    #[serde(default, deserialize_with = "lenient::text")]
    fqdn: Option<String>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    traffic: Vec<TrafficWeight>,
}

impl From<AppResource> for ContainerApp {
    fn from(resource: AppResource) -> Self {
        let AppProperties { configuration, template, .. } = resource.properties;
        let suffix = template.get("revisionSuffix").and_then(Value::as_str).filter(|suffix| !suffix.is_empty());
        Self {
            id: resource.id,
            name: resource.name,
            location: resource.location,
            provisioning_state: resource.properties.provisioning_state.into(),
            running_status: resource.properties.running_status,
            latest_revision: resource.properties.latest_revision_name,
            latest_ready_revision: resource.properties.latest_ready_revision_name,
            latest_revision_fqdn: resource.properties.latest_revision_fqdn,
            fqdn: configuration.ingress.fqdn,
            mode: configuration.active_revisions_mode.into(),
            traffic: configuration.ingress.traffic,
            max_inactive_revisions: configuration.max_inactive_revisions,
            revision_suffix: suffix.map(str::to_owned),
            template,
        }
    }
}
