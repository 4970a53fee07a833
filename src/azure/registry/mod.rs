//! Container Registry: the registry itself, and images built by its tasks.
//!
//! Source: `Microsoft.ContainerRegistry`, registries 2023-07-01, tasks and runs 2019-06-01-preview.

mod log;
mod types;
mod upload;

use serde::Deserialize;

pub use log::LogChunk;
pub use types::{BuildArgument, DockerBuild, OutputImage, Registry, RunStatus, SourceUpload, TaskRun};

use super::answer::decode;
use super::arm::{ArmClient, segment};
use super::error::{AzureError, ErrorKind};
use super::sas::SasUrl;
use crate::model::Timestamp;

const REGISTRY_VERSION: &str = "2023-07-01";
/// Tasks have no newer stable version that has what we use.
const TASKS_VERSION: &str = "2019-06-01-preview";
const PAGE: u32 = 100;

/// The calls on one registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    arm: ArmClient,
    path: String,
}

impl RegistryClient {
    pub fn new(arm: ArmClient, subscription_id: &str, resource_group: &str, registry: &str) -> Self {
        let [subscription, group, name] = [subscription_id, resource_group, registry].map(segment);
        let path = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ContainerRegistry/registries/{name}"
        );
        Self { arm, path }
    }

    pub(super) fn arm(&self) -> &ArmClient {
        &self.arm
    }

    /// The registry, with the login server that images are pulled from.
    pub async fn get(&self) -> Result<Registry, AzureError> {
        const OPERATION: &str = "reading the container registry";
        decode(OPERATION, self.arm.get(OPERATION, &self.path, REGISTRY_VERSION, &[]).await?)
    }

    /// A new place for a build context. Every call makes another; its permission ends soon, so ask right before uploading.
    pub async fn source_upload_url(&self) -> Result<SourceUpload, AzureError> {
        const OPERATION: &str = "asking where to upload the build context";
        let path = format!("{}/listBuildSourceUploadUrl", self.path);
        decode(OPERATION, self.arm.post(OPERATION, &path, TASKS_VERSION, None).await?)
    }

    /// Queues a build. Not idempotent: after an ambiguous error look with [`find_runs`](Self::find_runs) first.
    pub async fn schedule_build(&self, build: &DockerBuild) -> Result<TaskRun, AzureError> {
        const OPERATION: &str = "scheduling the image build";
        let path = format!("{}/scheduleRun", self.path);
        decode(OPERATION, self.arm.post(OPERATION, &path, TASKS_VERSION, Some(&build.body())).await?)
    }

    /// One run; the verdict on a build is its status, not the log's.
    pub async fn run(&self, run_id: &str) -> Result<TaskRun, AzureError> {
        const OPERATION: &str = "reading the image build's state";
        decode(OPERATION, self.arm.get(OPERATION, &self.run_path(run_id, ""), TASKS_VERSION, &[]).await?)
    }

    /// The builds that were queued directly (not by a task's trigger) at `since` or later, newest first, of the
    /// registry's latest hundred.
    ///
    /// A run does not tell what it builds before it has succeeded ([`TaskRun::output_images`]), and neither is there a
    /// field of ours in it: who lost the reply to a schedule call finds candidates here, by the time of the call.
    /// Allow for clocks that differ. The service's `$filter` is not used because only comparisons of names are
    /// known to work in it, and a time is what is needed.
    pub async fn find_runs(&self, since: Timestamp) -> Result<Vec<TaskRun>, AzureError> {
        const OPERATION: &str = "listing image builds";
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            value: Vec<TaskRun>,
        }
        let top = PAGE.to_string();
        let answer = self.arm.get(OPERATION, &format!("{}/runs", self.path), TASKS_VERSION, &[("$top", &top)]).await?;
        let mut runs = decode::<Page>(OPERATION, answer)?.value;
        runs.retain(|run| run.is_queued_directly() && run.create_time.is_none_or(|created| created >= since));
        runs.sort_by_key(|run| std::cmp::Reverse(run.create_time));
        Ok(runs)
    }

    /// Where the run's log is. The place is named before there is a log, and its permission ends before a long run does.
    pub async fn log_link(&self, run_id: &str) -> Result<SasUrl, AzureError> {
        const OPERATION: &str = "asking where the build log is";
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Link {
            log_link: SasUrl,
        }
        let path = self.run_path(run_id, "/listLogSasUrl");
        decode::<Link>(OPERATION, self.arm.post(OPERATION, &path, TASKS_VERSION, None).await?).map(|link| link.log_link)
    }

    /// Asks the run to stop. It may still succeed: look at its status. A run that has ended is no error.
    pub async fn cancel(&self, run_id: &str) -> Result<(), AzureError> {
        const OPERATION: &str = "cancelling the image build";
        match self.arm.post(OPERATION, &self.run_path(run_id, "/cancel"), TASKS_VERSION, None).await {
            Err(error) if error.kind != ErrorKind::Conflict || error.is_retryable() => Err(error),
            _ => Ok(()),
        }
    }

    fn run_path(&self, run_id: &str, rest: &str) -> String {
        format!("{}/runs/{}{rest}", self.path, segment(run_id))
    }
}

#[cfg(test)]
mod tests;
