//! What goes over the wire. Unknown fields and values are no reason to fail: the service grows.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::azure::{SasUrl, lenient};
use crate::model::{Timestamp, redact};

/// A container registry.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(from = "RegistryResource")]
pub struct Registry {
    pub name: String,
    /// The host that images are pulled from; not always `<name>.azurecr.io`.
    pub login_server: String,
    pub location: String,
    /// `Basic`, `Standard` or `Premium`.
    pub sku: String,
    pub provisioning_state: String,
}

#[derive(Deserialize)]
struct RegistryResource {
    name: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    sku: Sku,
    properties: RegistryProperties,
}

#[derive(Default, Deserialize)]
struct Sku {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegistryProperties {
    login_server: String,
    #[serde(default)]
    provisioning_state: String,
}

impl From<RegistryResource> for Registry {
    fn from(resource: RegistryResource) -> Self {
        Self {
            name: resource.name,
            login_server: resource.properties.login_server,
            location: resource.location,
            sku: resource.sku.name,
            provisioning_state: resource.properties.provisioning_state,
        }
    }
}

/// A place for a build context.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceUpload {
    pub upload_url: SasUrl,
    /// What a build names as its source.
    pub relative_path: String,
}

/// An image to build, from a Dockerfile in an uploaded context.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DockerBuild {
    /// [`SourceUpload::relative_path`]
    pub source_location: String,
    /// Relative to the context's root, in its exact case.
    pub docker_file_path: String,
    /// `repository:tag`, without the login server.
    pub image_names: Vec<String>,
    pub arguments: Vec<BuildArgument>,
    /// From 5 minutes to 8 hours; cut to that.
    pub timeout: Duration,
    pub no_cache: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub struct BuildArgument {
    pub name: String,
    pub value: String,
    /// Masked in the build's log.
    pub is_secret: bool,
}

impl fmt::Debug for BuildArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.is_secret { "***" } else { &self.value };
        f.debug_struct("BuildArgument").field("name", &self.name).field("value", &value).finish()
    }
}

const TIMEOUT_SECONDS: std::ops::RangeInclusive<u64> = 300..=28_800;

impl DockerBuild {
    pub(super) fn body(&self) -> Value {
        let arguments: Vec<_> = self
            .arguments
            .iter()
            .map(|argument| json!({"name": argument.name, "value": argument.value, "isSecret": argument.is_secret}))
            .collect();
        json!({
            "type": "DockerBuildRequest",
            "sourceLocation": self.source_location,
            "dockerFilePath": self.docker_file_path,
            "imageNames": self.image_names,
            "arguments": arguments,
            "isPushEnabled": true,
            // True means what it says, although the service's own description says the opposite.
            "noCache": self.no_cache,
            "platform": {"os": "Linux", "architecture": "amd64"},
            "timeout": self.timeout.as_secs().clamp(*TIMEOUT_SECONDS.start(), *TIMEOUT_SECONDS.end()),
        })
    }
}

/// A run of the registry: one image build.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(from = "RunResource")]
pub struct TaskRun {
    pub run_id: String,
    pub status: RunStatus,
    /// `QuickRun` or `QuickBuild` for a scheduled build; `AutoRun` or `AutoBuild` for a task's.
    pub run_type: Option<String>,
    pub create_time: Option<Timestamp>,
    pub start_time: Option<Timestamp>,
    pub finish_time: Option<Timestamp>,
    /// Known once the run has succeeded.
    pub output_images: Vec<OutputImage>,
    /// Why the run failed, in a few words and redacted; the log says more.
    pub error_message: Option<String>,
}

impl TaskRun {
    pub(super) fn is_queued_directly(&self) -> bool {
        self.run_type.as_deref().is_none_or(|kind| kind.starts_with("Quick"))
    }
}

/// An image that was pushed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputImage {
    pub registry: String,
    pub repository: String,
    pub tag: String,
    pub digest: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunStatus {
    Queued,
    Started,
    Running,
    Succeeded,
    Failed,
    Canceled,
    Error,
    Timeout,
    /// A state that this version does not know; the run is taken to go on.
    Other(String),
}

impl RunStatus {
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled | Self::Error | Self::Timeout)
    }
}

impl From<Option<String>> for RunStatus {
    fn from(text: Option<String>) -> Self {
        match text.as_deref() {
            // A run that was queued a moment ago may not have a status yet.
            None | Some("Queued") => Self::Queued,
            Some("Started") => Self::Started,
            Some("Running") => Self::Running,
            Some("Succeeded") => Self::Succeeded,
            Some("Failed") => Self::Failed,
            Some("Canceled") => Self::Canceled,
            Some("Error") => Self::Error,
            Some("Timeout") => Self::Timeout,
            Some(other) => Self::Other(other.to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct RunResource {
    properties: RunProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunProperties {
    run_id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    run_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::time")]
    create_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::time")]
    start_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::time")]
    finish_time: Option<Timestamp>,
    #[serde(default)]
    output_images: Option<Vec<OutputImage>>,
    #[serde(default)]
    run_error_message: Option<String>,
}

impl From<RunResource> for TaskRun {
    fn from(resource: RunResource) -> Self {
        let run = resource.properties;
        Self {
            run_id: run.run_id,
            status: run.status.into(),
            run_type: run.run_type,
            create_time: run.create_time,
            start_time: run.start_time,
            finish_time: run.finish_time,
            output_images: run.output_images.unwrap_or_default(),
            error_message: run.run_error_message.map(|message| redact(&message)),
        }
    }
}
