//! The tags of a remote, without fetching anything.

use gix::bstr::ByteSlice;
use gix::progress::Discard;
use gix::protocol::fetch::refmap::Source;
use gix::protocol::handshake::Ref;
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::{LsRefsCommand, handshake};
use gix_transport::Service;
use gix_transport::client::blocking_io::http::Transport;

use super::{Allowance, FetchLimits, GitError, Remote, Stop, Wire, blocking, chain, finish, no_credentials, transport};

/// A list of references that is longer than this is no repository that we deploy from.
const MAX_LIST_BYTES: u64 = 4 << 20;
const TAGS: &str = "refs/tags/";

/// A tag as its remote tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteTag {
    /// Without `refs/tags/`.
    pub name: String,
    /// What the tag finally points to, in hex digits; a commit in any sane repository.
    pub commit: String,
}

/// The tags of `remote` in the order of their names; at most 4 MiB are read. An empty repository has none.
pub async fn list_tags(remote: &Remote, limits: &FetchLimits) -> Result<Vec<RemoteTag>, GitError> {
    let limit = limits.max_duration;
    let looked_up = tokio::time::timeout(limit, remote.addresses()).await;
    let addresses = looked_up.map_err(|_| GitError::TimedOut(limit))??;
    let (remote, max_idle) = (remote.clone(), limits.max_idle);
    let work = move |stop: &Stop| {
        let wire = Wire::new(&remote, &addresses, Allowance { max_bytes: MAX_LIST_BYTES, max_idle }, stop)?;
        let refs = transport(&remote, &wire).and_then(|transport| list(transport, &[TAGS]));
        refs.map_err(|error| wire.verdict().unwrap_or(error))
    };
    let refs = finish(blocking::run(limit, work).await, limit)?;
    let mut tags: Vec<_> = refs.iter().filter_map(remote_tag).collect();
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tags)
}

fn remote_tag(reference: &Ref) -> Option<RemoteTag> {
    let (name, object, peeled) = reference.unpack();
    let name = name.to_str().ok()?.strip_prefix(TAGS)?.to_owned();
    Some(RemoteTag { name, commit: peeled.or(object)?.to_string() })
}

/// References whose names begin with one of `prefixes`; a remote of the older protocol sends all it has.
pub(super) fn list(mut transport: Transport<Wire>, prefixes: &[&str]) -> Result<Vec<Ref>, GitError> {
    let greeting = handshake(&mut transport, Service::UploadPack, no_credentials, Vec::new(), &mut Discard)
        .map_err(|e| GitError::NotAGitRemote(chain(&e)))?;
    if let Some(refs) = greeting.refs {
        return Ok(refs);
    }
    let mut wanted = RefPrefixes::new();
    wanted.extend(prefixes.iter().map(|&prefix| prefix.into()));
    LsRefsCommand::new(Some(wanted), &greeting.capabilities, ("agent", Some("windlass".into())))
        .invoke_blocking(&mut transport, &mut Discard, false)
        .map_err(|e| GitError::protocol(&e))
}

/// The annotated tag's own object.
pub(super) fn tag_object(source: &Source) -> Option<String> {
    match source {
        Source::Ref(Ref::Peeled { tag, .. }) => Some(tag.to_string()),
        _ => None,
    }
}

pub(super) fn is_unborn(reference: &Ref) -> bool {
    matches!(reference, Ref::Unborn { .. })
}
