//! Why nobody was made out.

use std::time::Duration;

use crate::http::error::ApiError;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthError {
    /// Configuration names no source: nobody may call.
    #[error("no source of identity is configured")]
    NoSource,
    #[error("no credential was sent")]
    Missing,
    /// Which check failed; never holds any part of the credential.
    #[error("the credential was refused: {0}")]
    Invalid(&'static str),
    /// The signing keys are out of reach, so that no token can be judged.
    #[error("the identity provider does not answer")]
    Unavailable { retry_after: Duration },
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::NoSource => Self::unauthorized(
                "authentication_not_configured",
                "Nobody may call this: the setting WINDLASS_AUTH names no source of identity. Its operator has to set it.",
                "Bearer",
            ),
            AuthError::Missing => Self::unauthorized(
                "missing_credential",
                "Sign in, and send the access token as a bearer token in the Authorization header.",
                "Bearer",
            ),
            AuthError::Invalid(check) => Self::unauthorized(
                "invalid_token",
                format!(
                    "The credential was refused: {check}. Sign in again, or ask the operator which callers are accepted."
                ),
                &format!(r#"Bearer error="invalid_token", error_description="{check}""#),
            ),
            AuthError::Unavailable { retry_after } => Self::unavailable(
                "identity_provider_unavailable",
                "The identity provider's signing keys cannot be had at the moment, so no token can be checked. Try again.",
                retry_after,
            ),
        }
    }
}
