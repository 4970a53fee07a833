//! Why a remote could not be fetched from.

use std::time::Duration;

use crate::model::redact;

/// No text in it holds a credential: URLs are shown without their user part, and what others said is redacted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GitError {
    #[error("the git remote is not usable: {0}")]
    BadRemote(String),
    #[error("the git remote's host {host} is at {address}, which this deployment may not talk to")]
    AddressRefused { host: String, address: String },
    #[error("the git remote redirects to {0}, which is not the host that was configured")]
    RedirectRefused(String),
    #[error("the git remote asks for a credential, or refuses the one that it was given")]
    AuthenticationRequired,
    #[error("the git remote has no tag {tag}")]
    TagNotFound { tag: String },
    #[error("the git remote shows no commit {commit}, and gives none of that name")]
    CommitNotFound { commit: String },
    #[error("more than one branch or tag of the git remote is at a commit that begins with {commit}")]
    AmbiguousCommit { commit: String },
    #[error("the git remote is an empty repository")]
    EmptyRepository,
    #[error("the tag {tag} does not point to a commit")]
    NotACommit { tag: String },
    #[error("the address is not a git repository: {0}")]
    NotAGitRemote(String),
    #[error("the git remote sends more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the git remote took longer than {} seconds", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The network, the host or its service is out of order for now.
    #[error("the git remote is out of reach: {reason}")]
    Unreachable { reason: String, after: Option<Duration> },
    /// The conversation broke off or made no sense after it had begun well.
    #[error("the git remote's answer cannot be used: {0}")]
    Protocol(String),
    #[error("the workspace cannot be used: {0}")]
    Workspace(String),
}

impl GitError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut(_) | Self::Protocol(_) | Self::Workspace(_) => true,
            Self::BadRemote(_)
            | Self::AddressRefused { .. }
            | Self::RedirectRefused(_)
            | Self::AuthenticationRequired
            | Self::TagNotFound { .. }
            | Self::CommitNotFound { .. }
            | Self::AmbiguousCommit { .. }
            | Self::EmptyRepository
            | Self::NotACommit { .. }
            | Self::NotAGitRemote(_)
            | Self::TooLarge { .. } => false,
        }
    }

    /// How long the other side asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable { after, .. } => *after,
            _ => None,
        }
    }

    /// One stable name for each cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRemote(_) => "git_remote_invalid",
            Self::AddressRefused { .. } => "git_address_refused",
            Self::RedirectRefused(_) => "git_redirect_refused",
            Self::AuthenticationRequired => "git_authentication_required",
            Self::TagNotFound { .. } => "git_tag_not_found",
            Self::CommitNotFound { .. } => "git_commit_not_found",
            Self::AmbiguousCommit { .. } => "git_commit_ambiguous",
            Self::EmptyRepository => "git_repository_empty",
            Self::NotACommit { .. } => "git_tag_not_a_commit",
            Self::NotAGitRemote(_) => "git_not_a_repository",
            Self::TooLarge { .. } => "git_too_large",
            Self::TimedOut(_) => "git_timed_out",
            Self::Unreachable { .. } => "git_unreachable",
            Self::Protocol(_) => "git_protocol_error",
            Self::Workspace(_) => "git_workspace_error",
        }
    }

    pub(super) fn unreachable(reason: &dyn std::error::Error) -> Self {
        Self::Unreachable { reason: chain(reason), after: None }
    }

    pub(super) fn protocol(reason: &dyn std::error::Error) -> Self {
        Self::Protocol(chain(reason))
    }
}

/// An error with all its causes in one redacted line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    redact(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
