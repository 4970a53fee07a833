//! Which commit is meant by the beginning of its name.

use std::collections::BTreeSet;

use gix::protocol::handshake::Ref;

use super::discovery::{HEAD, HEADS, TAGS};
use super::peer::{Peer, is_unborn};
use crate::git::{GitError, Sha};

/// Digits of a whole name.
const WHOLE: usize = 40;

/// The whole name of the commit that `sha` means: the one at a branch or tag that begins with it, or `sha` itself
/// if it is whole.
///
/// Other references do not count even where the remote shows them: anybody may put a commit behind a pull request, and
/// find one whose name begins as he likes.
pub(super) fn resolve(peer: &Peer, sha: &Sha) -> Result<String, GitError> {
    let refs = peer.list(&[HEAD, HEADS, TAGS])?;
    if refs.iter().all(is_unborn) {
        return Err(GitError::EmptyRepository);
    }
    let shown: BTreeSet<_> = refs.iter().filter_map(commit_at).filter(|commit| sha.names(commit)).collect();
    let mut shown = shown.into_iter();
    match (shown.next(), shown.next()) {
        (Some(commit), None) => Ok(commit),
        (Some(_), Some(_)) => Err(GitError::AmbiguousCommit { commit: sha.to_string() }),
        (None, _) if sha.as_str().len() == WHOLE => Ok(sha.to_string()),
        (None, _) => Err(not_found(sha)),
    }
}

pub(super) fn not_found(sha: &Sha) -> GitError {
    GitError::CommitNotFound { commit: sha.to_string() }
}

fn commit_at(reference: &Ref) -> Option<String> {
    let (name, object, peeled) = reference.unpack();
    let counts = name == HEAD || name.starts_with(HEADS.as_bytes()) || name.starts_with(TAGS.as_bytes());
    if counts { Some(peeled.or(object)?.to_string()) } else { None }
}
