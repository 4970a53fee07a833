//! [`Apps`] over Container Apps.

use async_trait::async_trait;
use serde_json::Value;

use super::ports::{Applied, Apps};
use crate::azure::container_apps::{
    ContainerApp, ContainerAppsClient, Operation, Poll, Replica, Revision, says_suffix_is_taken,
};
use crate::azure::{AzureError, ErrorKind};
use crate::engine::PhaseError;
use crate::model::Failure;

pub const APP_UNSET: &str = "no Container App is configured to roll out to; set PLATFORM_CONTAINER_APP, \
                             PLATFORM_SUBSCRIPTION_ID and PLATFORM_RESOURCE_GROUP, or ask for the strategy build_only";

pub struct AzureApps {
    /// None where nobody has configured one.
    client: Option<ContainerAppsClient>,
    name: String,
    subscription_id: String,
    resource_group: String,
}

impl AzureApps {
    pub fn new(client: Option<ContainerAppsClient>, subscription_id: &str, resource_group: &str, name: &str) -> Self {
        Self {
            client,
            name: name.to_owned(),
            subscription_id: subscription_id.to_owned(),
            resource_group: resource_group.to_owned(),
        }
    }

    fn client(&self) -> Result<&ContainerAppsClient, PhaseError> {
        self.client.as_ref().ok_or_else(|| PhaseError::fatal("app_unset", APP_UNSET))
    }
}

#[async_trait]
impl Apps for AzureApps {
    fn is_configured(&self) -> bool {
        self.client.is_some()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(&self) -> (&str, &str) {
        (&self.subscription_id, &self.resource_group)
    }

    async fn app(&self) -> Result<ContainerApp, PhaseError> {
        self.client()?.get().await.map_err(graded)
    }

    async fn update(&self, change: &Value) -> Result<Applied, PhaseError> {
        match self.client()?.update(change).await {
            Ok(update) => Ok(update.operation.map_or(Applied::Done, Applied::Begun)),
            // There is a revision of that name: ours, made by a call whose answer was lost.
            Err(error) if says_suffix_is_taken(&error.message) => Ok(Applied::Done),
            Err(error) if error.is_retryable() || error.is_ambiguous() => Err(again(error)),
            Err(error) => Ok(Applied::Refused(graded(error))),
        }
    }

    async fn operation(&self, operation: &Operation) -> Result<Option<Poll>, PhaseError> {
        match self.client()?.poll(operation).await {
            Ok(poll) => Ok(Some(poll)),
            Err(error) if error.is_retryable() => Err(again(error)),
            Err(error) => {
                tracing::info!(%error, "the operation cannot be watched; the app itself is read instead");
                Ok(None)
            }
        }
    }

    async fn revision(&self, name: &str) -> Result<Option<Revision>, PhaseError> {
        self.client()?.revision(name).await.map_err(graded)
    }

    async fn revisions(&self) -> Result<Vec<Revision>, PhaseError> {
        self.client()?.revisions().await.map_err(graded)
    }

    async fn replicas(&self, revision: &str) -> Result<Vec<Replica>, PhaseError> {
        self.client()?.replicas(revision).await.map_err(graded)
    }

    async fn activate(&self, revision: &str) -> Result<(), PhaseError> {
        self.client()?.activate(revision).await.map_err(graded)
    }

    async fn deactivate(&self, revision: &str) -> Result<(), PhaseError> {
        self.client()?.deactivate(revision).await.map_err(graded)
    }
}

/// Nobody knows what became of it, or it may be let in later.
fn again(error: AzureError) -> PhaseError {
    let after = error.retry_after;
    PhaseError::Retryable { failure: Failure::new(code(error.kind), error.to_string()), after }
}

fn graded(error: AzureError) -> PhaseError {
    if error.is_retryable() {
        return again(error);
    }
    let advice = match error.kind {
        ErrorKind::Forbidden => "; give Windlass's identity the role Contributor on the Container App",
        ErrorKind::NotFound => {
            "; the Container App is not there: check PLATFORM_SUBSCRIPTION_ID, PLATFORM_RESOURCE_GROUP and \
             PLATFORM_CONTAINER_APP, and whether somebody has deleted it"
        }
        ErrorKind::Identity | ErrorKind::Unauthorized => "; check the identity that Windlass runs as",
        _ => "",
    };
    PhaseError::Fatal(Failure::new(code(error.kind), format!("{error}{advice}")))
}

fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "app_not_found",
        ErrorKind::Invalid => "app_change_refused",
        kind => super::images::code(kind),
    }
}
