//! One tag of a remote, shallow, into a bare repository.

mod tags;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::progress::Discard;
use gix::remote::fetch::{Shallow, Tags};
use gix_transport::Protocol;
use gix_transport::client::blocking_io::http::Transport;

pub use tags::{RemoteTag, list_tags};

use super::blocking::{self, Ended, Stop};
use super::error::chain;
use super::wire::{Allowance, Wire};
use super::{GitError, Remote};

/// What a fetch may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchLimits {
    /// Bytes that may arrive, the pack with everything around it.
    pub max_pack_bytes: u64,
    /// Memory that one object of the repository may take when it is unpacked.
    pub max_object_bytes: u64,
    /// From the first look-up to the last object.
    pub max_duration: Duration,
    /// The longest silence of the remote.
    pub max_idle: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            max_pack_bytes: 512 << 20,
            max_object_bytes: 256 << 20,
            max_duration: Duration::from_secs(240),
            max_idle: Duration::from_secs(30),
        }
    }
}

/// What was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// The bare repository.
    pub repository: PathBuf,
    /// The name of the commit, in hex digits.
    pub commit: String,
    /// The name of the annotated tag's own object, unless the tag is a plain one.
    pub tag_object: Option<String>,
}

const DIRECTORY: &str = "repo";

/// Fetches the commit of `tag` and nothing of its history into `<workspace>/repo`, replacing what an earlier call left.
///
/// Reads no configuration of the user or the system, runs no program, asks nobody for a password. Dropping the future
/// stops the work. The credential of `remote` is sent to its host and written nowhere.
pub async fn fetch(remote: &Remote, tag: &str, limits: &FetchLimits, workspace: &Path) -> Result<Fetched, GitError> {
    let full_name = format!("refs/tags/{tag}");
    if gix::validate::reference::name(full_name.as_str().into()).is_err() {
        return Err(GitError::TagNotFound { tag: tag.to_owned() });
    }
    let limit = limits.max_duration;
    let looked_up = tokio::time::timeout(limit, remote.addresses()).await;
    let addresses = looked_up.map_err(|_| GitError::TimedOut(limit))??;
    let (remote, tag, limits) = (remote.clone(), tag.to_owned(), *limits);
    let directory = workspace.join(DIRECTORY);
    let work = move |stop: &Stop| {
        let allowance = Allowance { max_bytes: limits.max_pack_bytes, max_idle: limits.max_idle };
        let wire = Wire::new(&remote, &addresses, allowance, stop)?;
        let fetched = fetch_blocking(&remote, &wire, &tag, &limits, &directory, stop);
        // What happened on the wire is the cause of what gix says about it.
        fetched.map_err(|error| wire.verdict().unwrap_or(error))
    };
    finish(blocking::run(limit, work).await, limit)
}

fn finish<T>(result: Result<Result<T, GitError>, Ended>, limit: Duration) -> Result<T, GitError> {
    match result {
        Ok(result) => result,
        Err(Ended::TimedOut) => Err(GitError::TimedOut(limit)),
        Err(Ended::Panicked) => Err(GitError::Protocol("reading it failed in an unforeseen way".to_owned())),
    }
}

fn transport(remote: &Remote, wire: &Wire) -> Result<Transport<Wire>, GitError> {
    let url = gix::url::parse(remote.url().as_str()).map_err(|e| GitError::BadRemote(chain(&e)))?;
    Ok(Transport::new_http(wire.clone(), url, Protocol::V2, false))
}

/// The wire itself sends the credential; gix never gets one and has nobody to ask.
fn no_credentials(_: gix::credentials::helper::Action) -> gix::Result<Option<gix::credentials::protocol::Outcome>> {
    Ok(None)
}

fn fetch_blocking(
    remote: &Remote,
    wire: &Wire,
    tag: &str,
    limits: &FetchLimits,
    directory: &Path,
    stop: &Stop,
) -> Result<Fetched, GitError> {
    let repository = create(directory, limits)?;
    let name = format!("refs/tags/{tag}");
    let spec = format!("+{name}:{name}");
    let bad = |error: &dyn std::error::Error| GitError::BadRemote(chain(error));
    let origin = repository
        .remote_at(remote.url().as_str())
        .and_then(|origin| origin.with_refspecs([spec.as_str()], gix::remote::Direction::Fetch))
        .map_err(|e| bad(&e))?
        .with_fetch_tags(Tags::None);
    let prepared = origin
        .to_connection_with_transport(transport(remote, wire)?)
        .with_credentials(no_credentials)
        .with_transport_options(Box::new(()))
        .prepare_fetch(Discard, Default::default())
        .map_err(|e| GitError::NotAGitRemote(chain(&e)))?;
    let tag_object = match prepared.ref_map().mappings.first() {
        Some(mapping) => tags::tag_object(&mapping.remote),
        None => return Err(missing(remote, wire, tag)),
    };
    prepared
        .with_shallow(Shallow::DepthAtRemote(std::num::NonZeroU32::MIN))
        .with_write_packed_refs_only(true)
        .receive(Discard, stop.flag())
        .map_err(|e| match e.is_resource_exhausted() {
            true => GitError::TooLarge { limit: limits.max_object_bytes },
            false => GitError::protocol(&e),
        })?;
    let commit = repository
        .find_reference(name.as_str())
        .and_then(|mut reference| reference.peel_to_id().map(|id| id.object()))
        .map_err(|e| GitError::protocol(&e))?
        .map_err(|e| GitError::protocol(&e))?;
    if commit.kind != gix::objs::Kind::Commit {
        return Err(GitError::NotACommit { tag: tag.to_owned() });
    }
    Ok(Fetched { repository: directory.to_owned(), commit: commit.id.to_string(), tag_object })
}

/// Asks again without a filter, to tell a missing tag from a repository that has nothing at all.
fn missing(remote: &Remote, wire: &Wire, tag: &str) -> GitError {
    match transport(remote, wire).and_then(|transport| tags::list(transport, &["HEAD", "refs/"])) {
        Ok(refs) if refs.iter().all(tags::is_unborn) => GitError::EmptyRepository,
        Ok(_) => GitError::TagNotFound { tag: tag.to_owned() },
        Err(error) => error,
    }
}

/// How any repository of ours is opened: its own files only, and bounded memory for each object.
pub(super) fn options(max_object_bytes: u64) -> gix::open::Options {
    gix::open::Options::isolated()
        .with(gix::sec::Trust::Full)
        .config_overrides([format!("gitoxide.objects.allocLimit={max_object_bytes}")])
}

fn create(directory: &Path, limits: &FetchLimits) -> Result<gix::Repository, GitError> {
    let failed = |error: &dyn std::error::Error| GitError::Workspace(chain(error));
    if std::fs::symlink_metadata(directory).is_ok() {
        std::fs::remove_dir_all(directory).map_err(|e| failed(&e))?;
    }
    gix::ThreadSafeRepository::init_opts(
        directory,
        gix::create::Kind::Bare,
        gix::create::Options::default(),
        options(limits.max_object_bytes),
    )
    .map(|repository| repository.to_thread_local())
    .map_err(|e| failed(&e))
}
