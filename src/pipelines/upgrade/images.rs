//! [`Images`] over Container Registry tasks.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::ports::{BuildOrder, Context, Images, Output, Progress};
use crate::azure::registry::{BuildArgument, DockerBuild, RegistryClient, RunStatus, TaskRun};
use crate::azure::{AzureError, ErrorKind, SasUrl};
use crate::engine::PhaseError;
use crate::model::Failure;

/// A build may take as long as the phase that waits for it.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
const UPLOAD_LIMIT: Duration = Duration::from_secs(55);

pub struct RegistryImages {
    /// None where nobody has configured one.
    client: Option<RegistryClient>,
    /// Where each run's log is. The addresses carry a permission, so they are kept in memory and nowhere else.
    links: Mutex<HashMap<String, SasUrl>>,
}

impl RegistryImages {
    pub fn new(client: Option<RegistryClient>) -> Self {
        Self { client, links: Mutex::default() }
    }

    fn client(&self) -> Result<&RegistryClient, PhaseError> {
        self.client.as_ref().ok_or_else(unset)
    }

    async fn link(&self, client: &RegistryClient, id: &str) -> Result<SasUrl, AzureError> {
        if let Some(link) = self.links.lock().await.get(id) {
            return Ok(link.clone());
        }
        let link = client.log_link(id).await?;
        self.links.lock().await.insert(id.to_owned(), link.clone());
        Ok(link)
    }
}

#[async_trait]
impl Images for RegistryImages {
    async fn upload(&self, context: &Context) -> Result<String, PhaseError> {
        let client = self.client()?;
        let place = client.source_upload_url().await.map_err(graded)?;
        let sent = client.upload_source(&place.upload_url, &context.archive, context.bytes, UPLOAD_LIMIT).await;
        sent.map_err(graded)?;
        Ok(place.relative_path)
    }

    async fn schedule(&self, order: &BuildOrder) -> Result<String, PhaseError> {
        let argument = |(name, value): &(String, String)| BuildArgument {
            name: name.clone(),
            value: value.clone(),
            is_secret: false,
        };
        let build = DockerBuild {
            source_location: order.source.clone(),
            docker_file_path: order.dockerfile.clone(),
            image_names: vec![order.image.clone()],
            arguments: order.arguments.iter().map(argument).collect(),
            timeout: BUILD_LIMIT,
            no_cache: false,
        };
        Ok(self.client()?.schedule_build(&build).await.map_err(graded)?.run_id)
    }

    async fn progress(&self, id: &str) -> Result<Progress, PhaseError> {
        self.client()?.run(id).await.map(progress).map_err(graded)
    }

    async fn output(&self, id: &str, from: u64, most: usize) -> Result<Output, PhaseError> {
        let client = self.client()?;
        let link = self.link(client, id).await.map_err(graded)?;
        let chunk = match client.log_tail(&link, from, most as u64).await {
            Err(error) if error.kind == ErrorKind::LinkExpired => {
                self.links.lock().await.remove(id);
                let renewed = self.link(client, id).await.map_err(graded)?;
                client.log_tail(&renewed, from, most as u64).await
            }
            answer => answer,
        };
        let chunk = chunk.map_err(graded)?;
        if chunk.complete.is_some() {
            self.links.lock().await.remove(id);
        }
        Ok(Output { bytes: chunk.bytes.to_vec(), complete: chunk.complete.is_some() })
    }

    async fn cancel(&self, id: &str) -> Result<(), PhaseError> {
        self.client()?.cancel(id).await.map_err(graded)
    }
}

fn progress(run: TaskRun) -> Progress {
    let reason = |fallback: &str| run.error_message.clone().unwrap_or_else(|| fallback.to_owned());
    match run.status {
        RunStatus::Queued => Progress::Queued,
        RunStatus::Started | RunStatus::Running | RunStatus::Other(_) => Progress::Running,
        RunStatus::Succeeded => Progress::Succeeded(run.output_images.into_iter().next().map(|image| image.digest)),
        RunStatus::Failed => Progress::Failed(reason("the registry reports a failed run")),
        RunStatus::Error => Progress::Failed(reason("the registry reports an internal error")),
        RunStatus::Timeout => Progress::Failed(reason("the build took longer than the registry allows")),
        RunStatus::Canceled => Progress::Cancelled,
    }
}

pub(super) fn unset() -> PhaseError {
    PhaseError::fatal(
        "registry_unset",
        "no registry is configured to build and keep images; set PLATFORM_SUBSCRIPTION_ID, PLATFORM_RESOURCE_GROUP and \
         PLATFORM_ACR_NAME",
    )
}

pub(super) fn graded(error: AzureError) -> PhaseError {
    let advice = match error.kind {
        ErrorKind::Forbidden => "; give Windlass's identity the role Contributor on the registry",
        ErrorKind::NotFound => "; check PLATFORM_SUBSCRIPTION_ID, PLATFORM_RESOURCE_GROUP and PLATFORM_ACR_NAME",
        ErrorKind::Identity | ErrorKind::Unauthorized => "; check the identity that Windlass runs as",
        _ => "",
    };
    let failure = Failure::new(code(error.kind), format!("{error}{advice}"));
    // Every try asks for an address of its own.
    if error.is_retryable() || error.kind == ErrorKind::LinkExpired {
        PhaseError::Retryable { after: error.retry_after, failure }
    } else {
        PhaseError::Fatal(failure)
    }
}

pub(super) fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Throttled => "azure_throttled",
        ErrorKind::Unavailable | ErrorKind::Unreachable => "azure_unavailable",
        ErrorKind::Identity | ErrorKind::Unauthorized => "azure_identity_refused",
        ErrorKind::NotSignedIn => "azure_not_signed_in",
        ErrorKind::Forbidden => "azure_permission_missing",
        ErrorKind::LinkExpired => "azure_link_expired",
        ErrorKind::NotFound => "azure_not_found",
        ErrorKind::Conflict | ErrorKind::PreconditionFailed => "azure_conflict",
        ErrorKind::Invalid | ErrorKind::Unreadable => "azure_request_refused",
    }
}
