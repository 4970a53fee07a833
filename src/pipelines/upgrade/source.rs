//! [`Source`] over git: one shallow tag or commit, packed once for each context.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::Component;
use super::ports::{Context, Prepared, Source};
use crate::engine::PhaseError;
use crate::git::{
    Archive, ArchiveError, ArchiveLimits, ArchiveRequest, Discovery, DiscoveryLimits, FetchLimits, GitError, Remote,
    Sha, Target, Version, Workspace, WorkspaceError, archive, discover, fetch,
};
use crate::model::Failure;

pub struct GitSource {
    /// None where nobody has configured one.
    pub remote: Option<Remote>,
    /// Every job has a directory of its own in here.
    pub workspaces: PathBuf,
}

/// Longer than any fetch may take.
const ABANDONED: Duration = Duration::from_secs(3600);

#[async_trait]
impl Source for GitSource {
    fn address(&self) -> Option<String> {
        let url = self.remote.as_ref()?.url();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path()))
    }

    async fn discover(&self) -> Result<Discovery, PhaseError> {
        let remote = self.remote()?;
        discover(remote, &DiscoveryLimits::default()).await.map_err(|error| git_error(&error, remote))
    }

    async fn prepare(
        &self,
        job: &str,
        tag: &str,
        components: &[Component],
        within: Duration,
    ) -> Result<Prepared, PhaseError> {
        let remote = self.remote()?;
        self.tidy_up().await;
        let workspace = Workspace::create(&self.workspaces, job).await.map_err(workspace_error)?;
        let limits = FetchLimits { max_duration: within, ..FetchLimits::default() };
        let target = target(tag);
        let fetched = fetch(remote, &target, &limits, workspace.path()).await;
        let fetched = fetched.map_err(|error| git_error(&error, remote))?;
        let contexts: BTreeSet<&str> = components.iter().map(|component| component.context.as_str()).collect();
        let mut prepared = Prepared { commit: fetched.commit.clone(), contexts: Vec::new() };
        for (index, context) in contexts.into_iter().enumerate() {
            let inside: BTreeMap<&str, &str> = components
                .iter()
                .filter(|component| component.context == context)
                .map(|component| (component.name.as_str(), component.dockerfile.as_str()))
                .collect();
            let request = ArchiveRequest {
                repository: fetched.repository.clone(),
                commit: fetched.commit.clone(),
                context: context.to_owned(),
                dockerfiles: inside.values().map(|path| (*path).to_owned()).collect(),
            };
            let path = workspace.path().join(format!("context-{index}.tar.gz"));
            let limits = ArchiveLimits { max_duration: within, ..ArchiveLimits::default() };
            let packed: Archive = archive(&request, &path, &limits).await.map_err(|error| archive_error(&error))?;
            let found = |path: &str| packed.dockerfiles.get(path).cloned().unwrap_or_else(|| path.to_owned());
            prepared.contexts.push(Context {
                context: context.to_owned(),
                archive: path,
                bytes: packed.bytes,
                dockerfiles: inside.iter().map(|(name, path)| ((*name).to_owned(), found(path))).collect(),
            });
        }
        Ok(prepared)
    }

    async fn discard(&self, job: &str) -> Result<(), PhaseError> {
        let workspace = Workspace::at(&self.workspaces, job).await.map_err(workspace_error)?;
        workspace.remove().await.map_err(workspace_error)
    }
}

impl GitSource {
    fn remote(&self) -> Result<&Remote, PhaseError> {
        self.remote.as_ref().ok_or_else(|| {
            PhaseError::fatal(
                "remote_unset",
                "no repository is configured to upgrade from; set UPGRADE_GIT_REMOTE to its https address",
            )
        })
    }

    /// Removes what workers that died here have left, since their runs went on elsewhere or ended.
    async fn tidy_up(&self) {
        match Workspace::sweep(&self.workspaces, ABANDONED).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "removed abandoned workspaces"),
            Err(error) => tracing::warn!(%error, "abandoned workspaces cannot be removed"),
        }
    }
}

/// A build of the commit channel is fetched by its commit, whatever tags there are.
fn target(tag: &str) -> Target {
    let version = tag.strip_prefix('v').and_then(|version| Version::parse(version).ok());
    let commit = version.as_ref().and_then(Version::commit).and_then(Sha::parse);
    commit.map_or_else(|| Target::Tag(tag.to_owned()), Target::Commit)
}

fn graded(retryable: bool, after: Option<Duration>, code: &str, message: String) -> PhaseError {
    let failure = Failure::new(code, message);
    if retryable { PhaseError::Retryable { failure, after } } else { PhaseError::Fatal(failure) }
}

fn git_error(error: &GitError, remote: &Remote) -> PhaseError {
    let advice = match error {
        GitError::TagNotFound { .. } => "check target_version, or push the tag",
        GitError::CommitNotFound { .. } => "name the tip of a branch, a commit by all of its 40 digits, or a tag",
        GitError::AmbiguousCommit { .. } => "name the commit by more of its digits, or by all 40",
        GitError::AuthenticationRequired => "set UPGRADE_GIT_TOKEN to a token that may read the repository",
        GitError::AddressRefused { .. } | GitError::RedirectRefused(_) | GitError::BadRemote(_) => {
            "set UPGRADE_GIT_REMOTE to the repository's own public https address"
        }
        GitError::EmptyRepository | GitError::NotAGitRemote(_) | GitError::NotACommit { .. } => {
            "check that UPGRADE_GIT_REMOTE names the right repository"
        }
        GitError::TooLarge { .. } => "make the repository smaller, for example by moving large files out of it",
        _ => "check that the repository can be reached, then start again",
    };
    let message = format!("fetching from {}: {error}; {advice}", remote.url());
    graded(error.is_retryable(), error.retry_after(), error.code(), message)
}

fn archive_error(error: &ArchiveError) -> PhaseError {
    let advice = match error {
        ArchiveError::NoSuchDockerfile(_) | ArchiveError::NoSuchContext(_) | ArchiveError::BadPath(_) => {
            "add it to the repository, or name the right path in UPGRADE_COMPONENTS"
        }
        ArchiveError::TooManyFiles { .. } | ArchiveError::TooLarge { .. } | ArchiveError::FileTooLarge { .. } => {
            "leave out what the builds do not need by a .dockerignore file"
        }
        _ => "mend the repository and start again with a new version",
    };
    graded(error.is_retryable(), None, error.code(), format!("packing the build context: {error}; {advice}"))
}

fn workspace_error(error: WorkspaceError) -> PhaseError {
    let message = format!("the workspace of the upgrade cannot be used: {error}; check UPGRADE_WORKSPACE_DIR");
    PhaseError::retryable("workspace_unusable", message)
}
