//! Git over HTTP without a git program: one shallow tag or commit, read in place, packed as a build context.
//!
//! - `version`, `target`, `remote`: what is fetched and from where; the texts that callers hand in are checked here
//! - `address`: which network addresses may be talked to
//! - `wire`: the HTTP that gix speaks through, with every limit enforced on it
//! - `fetch`: a tag or a commit into a bare repository, and what a remote has to offer
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
mod target;
mod version;
mod wire;
mod workspace;

pub use archive::{Archive, ArchiveError, ArchiveLimits, ArchiveRequest, archive};
pub use dockerignore::{BadPattern, Dockerignore};
pub use error::GitError;
pub use fetch::{DISCOVERY_BYTES, Discovery, DiscoveryLimits, FetchLimits, Fetched, Head, RemoteTag, discover, fetch};
pub use remote::{Remote, RemotePolicy};
pub use target::{Sha, Target};
pub use version::{BadVersion, Version};
pub use workspace::{Workspace, WorkspaceError};
