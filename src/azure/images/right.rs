//! What one may do in a repository, in the registry's words and in those of the roles that allow it.

use crate::azure::error::{AzureError, ErrorKind};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Right {
    Pull,
    ReadTags,
    Delete,
}

impl Right {
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::ReadTags => "metadata_read",
            Self::Delete => "delete",
        }
    }

    pub(super) fn scope(self, repository: &str) -> String {
        format!("repository:{repository}:{}", self.action())
    }

    pub(super) fn missing(self, operation: &'static str, repository: &str) -> AzureError {
        let (what, role, by_repository) = match self {
            Self::Pull => ("pull images", "AcrPull", "Reader"),
            Self::ReadTags => ("list tags", "AcrPull", "Reader"),
            Self::Delete => ("delete images", "AcrDelete", "Contributor"),
        };
        let message = format!(
            "this identity may not {what} in the repository {repository}; give it the role {role} on the registry, or \
             Container Registry Repository {by_repository} if the registry's role assignments are by repository"
        );
        AzureError::new(ErrorKind::Forbidden, operation, message)
    }
}
