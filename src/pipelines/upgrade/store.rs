//! [`ImageStore`] over the registry's own API.

use async_trait::async_trait;

use super::images::{graded, unset};
use super::ports::ImageStore;
use crate::azure::images::{ImagesClient, Tag};
use crate::engine::PhaseError;

pub struct RegistryStore {
    /// None where nobody has configured one.
    client: Option<ImagesClient>,
}

impl RegistryStore {
    pub fn new(client: Option<ImagesClient>) -> Self {
        Self { client }
    }

    fn client(&self) -> Result<&ImagesClient, PhaseError> {
        self.client.as_ref().ok_or_else(unset)
    }
}

#[async_trait]
impl ImageStore for RegistryStore {
    async fn login_server(&self) -> Result<String, PhaseError> {
        self.client()?.login_server().await.map(str::to_owned).map_err(graded)
    }

    async fn digest(&self, repository: &str, reference: &str) -> Result<Option<String>, PhaseError> {
        self.client()?.digest(repository, reference).await.map_err(graded)
    }

    async fn tags(&self, repository: &str) -> Result<Vec<Tag>, PhaseError> {
        self.client()?.tags(repository).await.map_err(graded)
    }

    async fn delete_tag(&self, repository: &str, tag: &str) -> Result<(), PhaseError> {
        self.client()?.delete_tag(repository, tag).await.map_err(graded)
    }

    async fn delete_manifest(&self, repository: &str, digest: &str) -> Result<(), PhaseError> {
        self.client()?.delete_manifest(repository, digest).await.map_err(graded)
    }
}
