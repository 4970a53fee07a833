//! One tag or commit of a remote, shallow, into a bare repository; and what a remote has to offer.

mod commit;
mod discovery;
mod peer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::progress::Discard;
use gix::protocol::fetch::refmap::Source;
use gix::protocol::handshake::Ref;
use gix::remote::fetch::{Shallow, Tags};

pub use discovery::{DISCOVERY_BYTES, Discovery, DiscoveryLimits, Head, RemoteTag, discover};

use super::error::chain;
use super::wire::Allowance;
use super::{GitError, Remote, Sha, Target};
use peer::{Peer, converse, is_unborn, no_credentials};

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
    /// The name of the annotated tag's own object, if one was fetched.
    pub tag_object: Option<String>,
}

const DIRECTORY: &str = "repo";

/// Fetches the commit of `target` and nothing of its history into `<workspace>/repo`, replacing what an earlier call
/// left.
///
/// A remote that knows nothing but the older protocol sends the history, too. It is read and not used.
/// Reads no configuration of the user or the system, runs no program, asks nobody for a password. Dropping the future
/// stops the work. The credential of `remote` is sent to its host and written nowhere.
pub async fn fetch(
    remote: &Remote,
    target: &Target,
    limits: &FetchLimits,
    workspace: &Path,
) -> Result<Fetched, GitError> {
    if let Target::Tag(tag) = target
        && gix::validate::reference::name(reference(tag).as_str().into()).is_err()
    {
        return Err(GitError::TagNotFound { tag: tag.clone() });
    }
    let (target, limits, directory) = (target.clone(), *limits, workspace.join(DIRECTORY));
    let allowance = Allowance { max_bytes: limits.max_pack_bytes, max_idle: limits.max_idle };
    let talk = move |peer: &Peer| {
        let repository = create(&directory, &limits)?;
        let (commit, tag_object) = match &target {
            Target::Tag(tag) => fetch_tag(peer, &repository, tag, &limits)?,
            Target::Commit(sha) => (fetch_commit(peer, &repository, sha, &limits)?, None),
        };
        Ok(Fetched { repository: directory, commit, tag_object })
    };
    converse(remote, allowance, limits.max_duration, talk).await
}

fn reference(tag: &str) -> String {
    format!("refs/tags/{tag}")
}

/// The commit of `tag`, and the tag's own object.
fn fetch_tag(
    peer: &Peer,
    repository: &gix::Repository,
    tag: &str,
    limits: &FetchLimits,
) -> Result<(String, Option<String>), GitError> {
    let name = reference(tag);
    let received = receive(peer, repository, &[&format!("+{name}:{name}")], limits, |e| GitError::protocol(e))?;
    let Some(source) = received else { return Err(missing(peer, tag)) };
    let commit = repository
        .find_reference(name.as_str())
        .and_then(|mut reference| reference.peel_to_id().map(|id| id.object()))
        .map_err(|e| GitError::protocol(&e))?
        .map_err(|e| GitError::protocol(&e))?;
    if commit.kind != gix::objs::Kind::Commit {
        return Err(GitError::NotACommit { tag: tag.to_owned() });
    }
    let tag_object = match source {
        Source::Ref(Ref::Peeled { tag, .. }) => Some(tag.to_string()),
        _ => None,
    };
    Ok((commit.id.to_string(), tag_object))
}

/// Asks again without a filter, to tell a missing tag from a repository that has nothing at all.
fn missing(peer: &Peer, tag: &str) -> GitError {
    match peer.list(&["HEAD", "refs/"]) {
        Ok(refs) if refs.iter().all(is_unborn) => GitError::EmptyRepository,
        Ok(_) => GitError::TagNotFound { tag: tag.to_owned() },
        Err(error) => error,
    }
}

/// What is fetched without a name is kept by this one.
const KEPT: &str = "refs/windlass/commit";
/// Matches nothing. Without the name of some reference the remote would send a list of all.
const NOTHING: &str = "refs/windlass/none/*:refs/windlass/none/*";

/// The whole name of the commit that `sha` means.
fn fetch_commit(
    peer: &Peer,
    repository: &gix::Repository,
    sha: &Sha,
    limits: &FetchLimits,
) -> Result<String, GitError> {
    let commit = commit::resolve(peer, sha)?;
    // Every server has words of its own for it, and all of them name what they do not give.
    let failed = |error: &gix::Error| match peer.refusal() {
        Some(said) if said.contains(&commit) => commit::not_found(sha),
        _ => GitError::protocol(error),
    };
    receive(peer, repository, &[&format!("+{commit}:{KEPT}"), NOTHING], limits, failed)?;
    let id = gix::ObjectId::from_hex(commit.as_bytes()).map_err(|e| GitError::protocol(&e))?;
    let object = repository.find_object(id).map_err(|e| GitError::protocol(&e))?;
    // The name of a tag's or a file's object is no commit's, even if the remote gives it.
    if object.kind == gix::objs::Kind::Commit { Ok(commit) } else { Err(commit::not_found(sha)) }
}

/// Brings what `specs` say into `repository`, without history. Gives the first that it was, if the remote has any.
fn receive(
    peer: &Peer,
    repository: &gix::Repository,
    specs: &[&str],
    limits: &FetchLimits,
    failed: impl FnOnce(&gix::Error) -> GitError,
) -> Result<Option<Source>, GitError> {
    let bad = |error: &dyn std::error::Error| GitError::BadRemote(chain(error));
    let origin = repository
        .remote_at(peer.remote.url().as_str())
        .and_then(|origin| origin.with_refspecs(specs.iter().copied(), gix::remote::Direction::Fetch))
        .map_err(|e| bad(&e))?
        .with_fetch_tags(Tags::None);
    let prepared = origin
        .to_connection_with_transport(peer.transport()?)
        .with_credentials(no_credentials)
        .with_transport_options(Box::new(()))
        .prepare_fetch(Discard, Default::default())
        .map_err(|e| GitError::NotAGitRemote(chain(&e)))?;
    let Some(first) = prepared.ref_map().mappings.first().map(|mapping| mapping.remote.clone()) else {
        return Ok(None);
    };
    prepared
        .with_shallow(Shallow::DepthAtRemote(std::num::NonZeroU32::MIN))
        .with_write_packed_refs_only(true)
        .receive(Discard, peer.stop.flag())
        .map_err(|e| match e.is_resource_exhausted() {
            true => GitError::TooLarge { limit: limits.max_object_bytes },
            false => failed(&e),
        })?;
    Ok(Some(first))
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
