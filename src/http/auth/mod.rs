//! Who calls. Configuration names the sources that may say so; there is no other.

mod caller;
mod discovery;
mod easyauth;
mod entra;
mod error;
mod keys;

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use url::Url;

pub use caller::{Caller, CallerKind};
pub use error::AuthError;

use super::error::ApiError;
use crate::config::{AuthConfig, DevBypass, EasyAuthConfig};
use crate::engine::ports::Clock;
use discovery::Discovery;
use entra::Entra;
use keys::KeyRing;

/// The credential of the development bypass; of no value unless the bypass is configured.
pub const DEV_BYPASS_TOKEN: &str = "__dev_bypass__";

const DEV_TENANT: &str = "development";

/// Tells who sent a request.
pub struct Authenticator {
    entra: Option<Entra>,
    easyauth: Option<EasyAuthConfig>,
    dev_bypass: Option<DevBypass>,
}

impl Authenticator {
    /// `client` fetches the tenant's signing keys from `authority_host`, when the first token comes.
    pub fn new(config: AuthConfig, authority_host: Url, client: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        let entra = config.entra.map(|entra| {
            let discovery = Discovery::new(client, authority_host, entra.tenant_id.clone());
            Entra::new(entra, KeyRing::new(discovery, clock.clone()), clock)
        });
        Self { entra, easyauth: config.easyauth, dev_bypass: config.dev_bypass }
    }

    /// A bearer token, where there is one, decides; only without one does the platform's header count.
    ///
    /// # Errors
    /// Says why nobody could be made out. Whether a known caller may do what they ask for is the route's matter.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, AuthError> {
        if self.entra.is_none() && self.easyauth.is_none() && self.dev_bypass.is_none() {
            return Err(AuthError::NoSource);
        }
        if (self.entra.is_some() || self.dev_bypass.is_some())
            && let Some(token) = bearer_token(headers)?
        {
            return self.by_token(token).await;
        }
        match &self.easyauth {
            Some(easyauth) => easyauth::caller(headers, easyauth)?.ok_or(AuthError::Missing),
            None => Err(AuthError::Missing),
        }
    }

    async fn by_token(&self, token: &str) -> Result<Caller, AuthError> {
        match (&self.dev_bypass, &self.entra) {
            (Some(bypass), _) if token == DEV_BYPASS_TOKEN => Ok(made_up(bypass)),
            (_, Some(entra)) => entra.caller(token).await,
            (_, None) => {
                Err(AuthError::Invalid("bearer tokens other than the development bypass are not accepted here"))
            }
        }
    }
}

fn made_up(bypass: &DevBypass) -> Caller {
    Caller {
        oid: bypass.oid.clone(),
        tenant: DEV_TENANT.to_owned(),
        roles: bypass.roles.clone(),
        kind: CallerKind::Dev,
        name: "development bypass".to_owned(),
    }
}

/// The token of `Authorization: Bearer`; `None` if the header is missing or of another scheme.
fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::Invalid("the header Authorization is given more than once"));
    }
    let value = value.to_str().map_err(|_| AuthError::Invalid("the header Authorization is not ASCII"))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    Ok(scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()))
}

/// The caller as an argument of a handler: the handler does not run unless they are known.
impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Arc<Authenticator>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let authenticator = Arc::<Authenticator>::from_ref(state);
        Ok(authenticator.authenticate(&parts.headers).await?)
    }
}
