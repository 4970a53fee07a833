//! What a remote has to offer, without fetching anything: its tags, and where its default branch is.

use std::time::Duration;

use gix::bstr::{BStr, ByteSlice};
use gix::protocol::handshake::Ref;

use super::peer::{Peer, converse};
use crate::git::wire::Allowance;
use crate::git::{GitError, Remote};

/// The most that a remote may answer. A list of references that is longer is no repository that we deploy from.
pub const DISCOVERY_BYTES: u64 = 4 << 20;

/// How long a discovery may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiscoveryLimits {
    /// From the look-up of the host to the last reference.
    pub max_duration: Duration,
    /// The longest silence of the remote.
    pub max_idle: Duration,
}

impl Default for DiscoveryLimits {
    fn default() -> Self {
        Self { max_duration: Duration::from_secs(20), max_idle: Duration::from_secs(10) }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Discovery {
    /// In the order of their names.
    pub tags: Vec<RemoteTag>,
    /// None in an empty repository, and in one whose HEAD is on no branch.
    pub head: Option<Head>,
}

/// A tag as its remote tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteTag {
    /// Without `refs/tags/`.
    pub name: String,
    /// What the tag finally points to, in hex digits; a commit in any sane repository.
    pub commit: String,
}

/// The default branch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Without `refs/heads/`.
    pub branch: String,
    /// Its tip, in hex digits.
    pub commit: String,
}

pub(super) const HEAD: &str = "HEAD";
pub(super) const HEADS: &str = "refs/heads/";
pub(super) const TAGS: &str = "refs/tags/";

/// Asks `remote` for its tags and its default branch, in two requests. Reads at most [`DISCOVERY_BYTES`].
pub async fn discover(remote: &Remote, limits: &DiscoveryLimits) -> Result<Discovery, GitError> {
    let allowance = Allowance { max_bytes: DISCOVERY_BYTES, max_idle: limits.max_idle };
    let refs = converse(remote, allowance, limits.max_duration, |peer: &Peer| peer.list(&[HEAD, TAGS])).await?;
    let mut tags: Vec<_> = refs.iter().filter_map(remote_tag).collect();
    tags.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Discovery { tags, head: refs.iter().find_map(head) })
}

fn below(name: &BStr, room: &str) -> Option<String> {
    Some(name.to_str().ok()?.strip_prefix(room)?.to_owned())
}

fn remote_tag(reference: &Ref) -> Option<RemoteTag> {
    let (name, object, peeled) = reference.unpack();
    Some(RemoteTag { name: below(name, TAGS)?, commit: peeled.or(object)?.to_string() })
}

fn head(reference: &Ref) -> Option<Head> {
    match reference {
        Ref::Symbolic { full_ref_name, target, object, .. } if full_ref_name == HEAD => {
            Some(Head { branch: below(target.as_bstr(), HEADS)?, commit: object.to_string() })
        }
        _ => None,
    }
}
