//! Container Apps: the app, its revisions and their replicas.
//!
//! Source: `Microsoft.App`, container apps 2024-03-01, and recordings of the service.

mod app;
mod replica;
mod revision;
mod visit;

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

pub use app::{AppState, ContainerApp, RevisionMode, TrafficWeight};
pub use replica::{Replica, ReplicaContainer};
pub use revision::{ContainerImage, HealthState, ProvisioningState, Revision, RunningState};
pub use visit::{Silence, Visitor};

use super::answer::decode;
use super::arm::{ArmClient, segment};
use super::error::{AzureError, ErrorKind};
use super::lro;
pub use super::lro::{Operation, Poll};

/// What newer versions add lies in objects that a merge patch leaves alone (`scale.cooldownPeriod`,
/// `configuration.runtime`), not in the arrays that must be sent whole; and all that is read here is the same in them.
const API_VERSION: &str = "2024-03-01";
/// An app keeps a hundred inactive revisions; a list that is longer by far does not end.
const MAX_PAGES: usize = 20;

/// The calls on one app. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ContainerAppsClient {
    arm: ArmClient,
    path: String,
}

/// What became of a change that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    /// Where it can be watched; `None` if it was done at once, or if the app alone can tell.
    pub operation: Option<Operation>,
    /// When to look first, if the service said so.
    pub after: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    value: Vec<T>,
    #[serde(default)]
    next_link: Option<String>,
}

impl ContainerAppsClient {
    pub fn new(arm: ArmClient, subscription_id: &str, resource_group: &str, app: &str) -> Self {
        let [subscription, group, name] = [subscription_id, resource_group, app].map(segment);
        let path = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.App/containerApps/{name}"
        );
        Self { arm, path }
    }

    pub async fn get(&self) -> Result<ContainerApp, AzureError> {
        const OPERATION: &str = "reading the container app";
        decode(OPERATION, self.arm.get(OPERATION, &self.path, API_VERSION, &[]).await?)
    }

    /// Changes what `body` names, as a JSON merge patch: objects are merged, arrays replaced whole, nulls delete.
    ///
    /// Not idempotent if it makes a revision: after an ambiguous error look for the revision first. A change that meets
    /// another is a conflict that ends by itself ([`AzureError::is_retryable`]).
    pub async fn update(&self, body: &Value) -> Result<Update, AzureError> {
        const OPERATION: &str = "changing the container app";
        let answer = self.arm.patch(OPERATION, &self.path, API_VERSION, body).await?;
        let operation = lro::begun(&answer);
        match lro::failure(&answer.body).filter(|_| operation.is_none()) {
            Some(Poll::Failed { code, message }) => {
                let error = AzureError::new(ErrorKind::Invalid, OPERATION, message);
                Err(AzureError { status: Some(answer.status), code, ..error })
            }
            Some(_) => Err(AzureError::new(ErrorKind::Invalid, OPERATION, "it was cancelled by the service")),
            None => Ok(Update { operation, after: answer.retry_after }),
        }
    }

    /// Looks once at a change that goes on. [`Forbidden`](ErrorKind::Forbidden), [`NotFound`](ErrorKind::NotFound) and
    /// [`Invalid`](ErrorKind::Invalid) say that the operation cannot be watched, not how it ended: read the app.
    pub async fn poll(&self, operation: &Operation) -> Result<Poll, AzureError> {
        lro::poll(&self.arm, operation).await
    }

    /// All revisions that the app still has, active or not, in the service's order.
    pub async fn revisions(&self) -> Result<Vec<Revision>, AzureError> {
        const OPERATION: &str = "listing the container app's revisions";
        let path = format!("{}/revisions", self.path);
        let mut answer = self.arm.get(OPERATION, &path, API_VERSION, &[]).await?;
        let mut revisions = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = decode::<Page<Revision>>(OPERATION, answer)?;
            revisions.extend(page.value);
            match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => answer = self.arm.follow(OPERATION, &link).await?,
                None => return Ok(revisions),
            }
        }
        let message = format!("the list goes on after {MAX_PAGES} pages");
        Err(AzureError::new(ErrorKind::Unreadable, OPERATION, message))
    }

    /// The revision; `None` if the app has none of that name. [`NotFound`](ErrorKind::NotFound) says that there is no app.
    pub async fn revision(&self, name: &str) -> Result<Option<Revision>, AzureError> {
        const OPERATION: &str = "reading the container app's revision";
        match self.arm.get(OPERATION, &self.revision_path(name, ""), API_VERSION, &[]).await {
            Ok(answer) => decode(OPERATION, answer).map(Some),
            Err(error) if error.kind != ErrorKind::NotFound => Err(error),
            Err(error) if error.has_code("RevisionNotFound") => Ok(None),
            // By any other name it may be the app that is missing, and the app itself knows best.
            Err(_) => self.get().await.map(|_| None),
        }
    }

    /// Lets the revision run again. Its effect comes later: look at the revision.
    pub async fn activate(&self, name: &str) -> Result<(), AzureError> {
        self.order("activating the revision", name, "/activate").await
    }

    /// Stops the revision; one that takes traffic must not be stopped. Its effect comes later: look at the revision.
    pub async fn deactivate(&self, name: &str) -> Result<(), AzureError> {
        self.order("deactivating the revision", name, "/deactivate").await
    }

    /// Replaces the revision's replicas under the same name. Its effect comes later: look at the replicas.
    pub async fn restart(&self, name: &str) -> Result<(), AzureError> {
        self.order("restarting the revision", name, "/restart").await
    }

    /// The revision's replicas; none if it is scaled to zero or not scheduled yet.
    pub async fn replicas(&self, revision: &str) -> Result<Vec<Replica>, AzureError> {
        const OPERATION: &str = "listing the revision's replicas";
        let path = self.revision_path(revision, "/replicas");
        decode::<Page<Replica>>(OPERATION, self.arm.get(OPERATION, &path, API_VERSION, &[]).await?)
            .map(|page| page.value)
    }

    /// The answer is empty, or a sentence as a JSON string.
    async fn order(&self, operation: &'static str, revision: &str, what: &str) -> Result<(), AzureError> {
        self.arm.post(operation, &self.revision_path(revision, what), API_VERSION, None).await.map(|_| ())
    }

    fn revision_path(&self, name: &str, rest: &str) -> String {
        format!("{}/revisions/{}{rest}", self.path, segment(name))
    }
}

/// Whether a change was refused because there has been a revision of that suffix. The reason comes with the refusal, or
/// later with the operation's failure; its code is not always the same.
pub fn says_suffix_is_taken(message: &str) -> bool {
    message.contains("revision with suffix") && message.contains("already exists")
}

#[cfg(test)]
mod tests;
