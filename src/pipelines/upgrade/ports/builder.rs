//! A repository, and something that builds images from it.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use crate::engine::PhaseError;
use crate::git::Discovery;
use crate::pipelines::upgrade::Component;

/// A fetched commit, packed for the builder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prepared {
    /// The commit that the tag points to, in hex.
    pub commit: String,
    pub contexts: Vec<Context>,
}

/// One directory of the commit as a tar.gz on this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context {
    /// The directory, as components name it.
    pub context: String,
    pub archive: PathBuf,
    pub bytes: u64,
    /// For each component that builds from here: its name and where the archive holds its Dockerfile.
    pub dockerfiles: Vec<(String, String)>,
}

#[async_trait]
pub trait Source: Send + Sync {
    /// The repository's host and path, for people; `None` where nobody has said which repository.
    fn address(&self) -> Option<String>;

    /// What the repository has to offer. Changes nothing.
    async fn discover(&self) -> Result<Discovery, PhaseError>;

    /// Fetches `tag` and packs every context that the components build from, into a workspace of `job`.
    /// Calling it again does the same work again.
    async fn prepare(
        &self,
        job: &str,
        tag: &str,
        components: &[Component],
        within: Duration,
    ) -> Result<Prepared, PhaseError>;

    /// Removes the workspace of `job`, if there is one.
    async fn discard(&self, job: &str) -> Result<(), PhaseError>;
}

/// One image build.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BuildOrder {
    /// Where the builder finds the context: what [`Images::upload`] returned.
    pub source: String,
    /// Path of the Dockerfile in the context.
    pub dockerfile: String,
    /// `<repository>:<tag>`
    pub image: String,
    /// Names and values that the Dockerfile may use.
    pub arguments: Vec<(String, String)>,
}

/// What the builder says of a build.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    Queued,
    Running,
    /// With the image's digest.
    Succeeded(Option<String>),
    /// In the builder's words.
    Failed(String),
    Cancelled,
}

/// A piece of a build's output.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Output {
    pub bytes: Vec<u8>,
    /// Nothing will follow these bytes.
    pub complete: bool,
}

#[async_trait]
pub trait Images: Send + Sync {
    /// Hands a context to the builder and returns the builder's name for it. A second call makes a second copy.
    async fn upload(&self, context: &Context) -> Result<String, PhaseError>;

    /// Begins a build and returns its id. An image is named by its version, so building it twice gives the same image.
    async fn schedule(&self, order: &BuildOrder) -> Result<String, PhaseError>;

    async fn progress(&self, id: &str) -> Result<Progress, PhaseError>;

    /// Output from byte `from` on, at most `most` bytes.
    async fn output(&self, id: &str, from: u64, most: usize) -> Result<Output, PhaseError>;

    /// Asks the builder to stop a build; one that has ended stays as it is.
    async fn cancel(&self, id: &str) -> Result<(), PhaseError>;
}
