//! The other side of one conversation: checked, bounded in bytes and time, and stopped when nobody waits any more.

use std::time::Duration;

use gix::progress::Discard;
use gix::protocol::handshake::Ref;
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::{LsRefsCommand, handshake};
use gix_transport::client::blocking_io::http::Transport;
use gix_transport::{Protocol, Service};
use tokio::time::Instant;

use crate::git::blocking::{self, Ended, Stop};
use crate::git::error::chain;
use crate::git::wire::{Allowance, Wire};
use crate::git::{GitError, Remote};

/// A remote as the blocking side of a conversation sees it.
pub(super) struct Peer {
    pub(super) remote: Remote,
    pub(super) stop: Stop,
    wire: Wire,
}

/// Lets `talk` converse with `remote` on a thread that may block; `limit` counts from the look-up of its host to the end.
pub(super) async fn converse<T: Send + 'static>(
    remote: &Remote,
    allowance: Allowance,
    limit: Duration,
    talk: impl FnOnce(&Peer) -> Result<T, GitError> + Send + 'static,
) -> Result<T, GitError> {
    let begun = Instant::now();
    let looked_up = tokio::time::timeout(limit, remote.addresses()).await;
    let addresses = looked_up.map_err(|_| GitError::TimedOut(limit))??;
    let remote = remote.clone();
    let work = move |stop: &Stop| {
        let wire = Wire::new(&remote, &addresses, allowance, stop)?;
        let peer = Peer { remote, stop: stop.clone(), wire };
        // What happened on the wire is the cause of what gix says about it.
        talk(&peer).map_err(|error| peer.wire.verdict().unwrap_or(error))
    };
    match blocking::run(limit.saturating_sub(begun.elapsed()), work).await {
        Ok(result) => result,
        Err(Ended::TimedOut) => Err(GitError::TimedOut(limit)),
        Err(Ended::Panicked) => Err(GitError::Protocol("reading it failed in an unforeseen way".to_owned())),
    }
}

/// The wire itself sends the credential; gix never gets one and has nobody to ask.
pub(super) fn no_credentials(
    _: gix::credentials::helper::Action,
) -> gix::Result<Option<gix::credentials::protocol::Outcome>> {
    Ok(None)
}

impl Peer {
    pub(super) fn transport(&self) -> Result<Transport<Wire>, GitError> {
        let url = gix::url::parse(self.remote.url().as_str()).map_err(|e| GitError::BadRemote(chain(&e)))?;
        Ok(Transport::new_http(self.wire.clone(), url, Protocol::V2, false))
    }

    /// What the remote said in place of its last answer.
    pub(super) fn refusal(&self) -> Option<String> {
        self.wire.refusal()
    }

    /// References whose names begin with one of `prefixes`; a remote of the older protocol sends all it has.
    pub(super) fn list(&self, prefixes: &[&str]) -> Result<Vec<Ref>, GitError> {
        let mut transport = self.transport()?;
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
}

pub(super) fn is_unborn(reference: &Ref) -> bool {
    matches!(reference, Ref::Unborn { .. })
}
