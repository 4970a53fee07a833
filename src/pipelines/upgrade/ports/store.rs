//! The registry that keeps the images.

use async_trait::async_trait;

use crate::azure::images::Tag;
use crate::engine::PhaseError;

#[async_trait]
pub trait ImageStore: Send + Sync {
    /// The host that images are pulled from, the first part of their names.
    async fn login_server(&self) -> Result<String, PhaseError>;

    /// The digest that `reference`, a tag or a digest, has in `repository`; `None` if the registry has no such image.
    async fn digest(&self, repository: &str, reference: &str) -> Result<Option<String>, PhaseError>;

    /// Every tag of `repository`; none if there is no such repository.
    async fn tags(&self, repository: &str) -> Result<Vec<Tag>, PhaseError>;

    /// A second call changes nothing.
    async fn delete_tag(&self, repository: &str, tag: &str) -> Result<(), PhaseError>;

    /// Takes every tag of it away too. A second call changes nothing.
    async fn delete_manifest(&self, repository: &str, digest: &str) -> Result<(), PhaseError>;
}
