//! Git over HTTP without a git program: one shallow tag, read in place, packed as a build context.
//!
//! - `version`, `remote`: what is fetched and from where; the texts that callers hand in are checked here
//! - `address`: which network addresses may be talked to
//! - `wire`: the HTTP that gix speaks through, with every limit enforced on it
//! - `fetch`: a tag into a bare repository, and the list of tags
//! - `dockerignore`, `archive`: a commit's tree as a reproducible build context
//! - `workspace`: the directory in which one job does all that
//! - `blocking`: how blocking work is stopped when nobody waits for it any more

mod address;
mod archive;
mod blocking;
mod dockerignore;
mod error;
mod fetch;
mod remote;
mod version;
mod wire;
mod workspace;

pub use archive::{Archive, ArchiveError, ArchiveLimits, ArchiveRequest, archive};
pub use dockerignore::{BadPattern, Dockerignore};
pub use error::GitError;
pub use fetch::{FetchLimits, Fetched, RemoteTag, fetch, list_tags};
pub use remote::{Remote, RemotePolicy};
pub use version::{BadVersion, Sha, Version};
pub use workspace::{Workspace, WorkspaceError};
