//! A commit's tree as the tar.gz that a registry builds images from.
//!
//! The archive holds what `az acr build` would send from a checkout, with these differences:
//! - it depends on the commit, the context and the Dockerfiles alone: times, owners and order are fixed, so that a
//!   second try uploads the same bytes;
//! - what `.dockerignore` means is what Docker makes of it (see [`Dockerignore`](super::Dockerignore));
//! - `<Dockerfile>.dockerignore` beside the Dockerfile wins over `.dockerignore`, again as in Docker;
//! - contents are those of the repository: no line-ending conversion, no LFS download, submodules are empty directories.

mod pack;
mod source;
mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::BadPattern;
use super::blocking::{self, Ended};

/// What to pack. Paths are relative to the repository's root, with `/` between their parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchiveRequest {
    /// The bare repository, as [`fetch`](super::fetch()) left it.
    pub repository: PathBuf,
    /// A full commit name in hex digits.
    pub commit: String,
    /// The directory that images are built from; empty for the whole repository.
    pub context: String,
    /// The Dockerfiles that are built from this context; they may lie outside it.
    pub dockerfiles: Vec<String>,
}

/// What an archive may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArchiveLimits {
    pub max_files: u64,
    /// Bytes of all files before compression.
    pub max_bytes: u64,
    /// Bytes of one file.
    pub max_file_bytes: u64,
    pub max_duration: Duration,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            max_files: 200_000,
            max_bytes: 4 << 30,
            max_file_bytes: 256 << 20,
            max_duration: Duration::from_secs(240),
        }
    }
}

/// What was packed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archive {
    /// Length of the compressed file.
    pub bytes: u64,
    /// SHA-256 of the compressed file, in hex digits.
    pub sha256: String,
    /// Entries in it: files, links and directories.
    pub files: u64,
    /// For each Dockerfile of the request, the path that the builder finds it under.
    pub dockerfiles: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("'{0}' is not the full name of a commit in the repository")]
    NoSuchCommit(String),
    #[error("the build context '{0}' is not a directory of the repository")]
    NoSuchContext(String),
    #[error("the Dockerfile '{0}' is not a file of the repository")]
    NoSuchDockerfile(String),
    #[error("'{0}' is not a path within the repository")]
    BadPath(String),
    #[error("{path}: {source}")]
    BadIgnoreFile { path: String, source: BadPattern },
    /// One archive cannot leave out different files for different Dockerfiles.
    #[error("'{0}' has an ignore file of its own and needs an archive of its own")]
    IgnoresDiffer(String),
    #[error("the build context has more than {limit} files")]
    TooManyFiles { limit: u64 },
    #[error("the build context is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the file '{path}' of the build context is larger than {limit} bytes")]
    FileTooLarge { path: String, limit: u64 },
    #[error("packing the build context took longer than {} seconds", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("the repository cannot be read: {0}")]
    Repository(String),
    #[error("the archive cannot be written: {0}")]
    Output(String),
}

impl ArchiveError {
    /// Whether the same call may succeed later without anybody changing the repository or the request.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Repository(_) | Self::Output(_))
    }

    /// One stable name for each cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchCommit(_) => "archive_commit_not_found",
            Self::NoSuchContext(_) => "archive_context_not_found",
            Self::NoSuchDockerfile(_) => "archive_dockerfile_not_found",
            Self::BadPath(_) => "archive_path_invalid",
            Self::BadIgnoreFile { .. } => "archive_dockerignore_invalid",
            Self::IgnoresDiffer(_) => "archive_dockerignores_differ",
            Self::TooManyFiles { .. } => "archive_too_many_files",
            Self::TooLarge { .. } | Self::FileTooLarge { .. } => "archive_too_large",
            Self::TimedOut(_) => "archive_timed_out",
            Self::Repository(_) => "archive_repository_unreadable",
            Self::Output(_) => "archive_not_written",
        }
    }
}

/// Packs the context into the file `out`, which is replaced, or removed when packing fails.
/// Dropping the future stops the work.
pub async fn archive(request: &ArchiveRequest, out: &Path, limits: &ArchiveLimits) -> Result<Archive, ArchiveError> {
    let (request, path, limits) = (request.clone(), out.to_owned(), *limits);
    let work = move |stop: &blocking::Stop| walk::pack(&request, &path, &limits, stop);
    let packed = match blocking::run(limits.max_duration, work).await {
        Ok(packed) => packed,
        Err(Ended::TimedOut) => Err(ArchiveError::TimedOut(limits.max_duration)),
        Err(Ended::Panicked) => Err(ArchiveError::Repository("reading it failed in an unforeseen way".to_owned())),
    };
    if packed.is_err() {
        let _ = tokio::fs::remove_file(out).await;
    }
    packed
}
