//! Entra access tokens, v1 and v2.
//! Source: Microsoft identity platform, "access token claims reference".

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;

use super::caller::{Caller, CallerKind};
use super::error::AuthError;
use super::keys::{KeyError, KeyRing};
use crate::config::EntraConfig;
use crate::engine::ports::Clock;

/// How far two clocks may differ.
const LEEWAY: Duration = Duration::from_mins(2);
/// Real tokens have some 2 KB, with many roles some 6.
const TOKEN_LIMIT: usize = 16 * 1024;

pub(super) struct Entra {
    config: EntraConfig,
    keys: KeyRing,
    clock: Arc<dyn Clock>,
}

/// Times in seconds since 1970.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: Option<i64>,
    tid: Option<String>,
    oid: Option<String>,
    /// The client application, in v2 tokens.
    azp: Option<String>,
    /// The client application, in v1 tokens.
    appid: Option<String>,
    /// Only in tokens on behalf of a person.
    scp: Option<String>,
    idtyp: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    name: Option<String>,
    preferred_username: Option<String>,
    unique_name: Option<String>,
    app_displayname: Option<String>,
}

impl Entra {
    pub fn new(config: EntraConfig, keys: KeyRing, clock: Arc<dyn Clock>) -> Self {
        Self { config, keys, clock }
    }

    /// Who a token speaks for.
    pub async fn caller(&self, token: &str) -> Result<Caller, AuthError> {
        let unsigned = AuthError::Invalid("it is not a web token signed with RS256");
        if token.len() > TOKEN_LIMIT {
            return Err(AuthError::Invalid("it is too long"));
        }
        let header = decode_header(token).map_err(|_| unsigned.clone())?;
        // A critical extension is one that must not be ignored, and there is none that we know.
        if header.alg != Algorithm::RS256 || header.crit.is_some() {
            return Err(unsigned);
        }
        let kid = header.kid.ok_or(AuthError::Invalid("it does not name its signing key"))?;
        let found = self.keys.find(&kid).await.map_err(|error| match error {
            KeyError::Unknown => AuthError::Invalid("its signing key is not one of the tenant's"),
            KeyError::Unavailable { retry_after } => AuthError::Unavailable { retry_after },
        })?;
        let claims = decode::<Claims>(token, &found.key, &signature_only()).map_err(|error| {
            AuthError::Invalid(match error.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => "its signature is wrong",
                _ => "its claims cannot be read",
            })
        })?;
        self.accept(claims.claims, found.published.issuers())
    }

    fn accept(&self, claims: Claims, issuers: &[String]) -> Result<Caller, AuthError> {
        let now = self.clock.now().as_millis().div_euclid(1_000);
        let leeway = i64::try_from(LEEWAY.as_secs()).unwrap_or_default();
        let check = |holds: bool, failure: &'static str| if holds { Ok(()) } else { Err(AuthError::Invalid(failure)) };

        check(now < claims.exp.saturating_add(leeway), "it has expired")?;
        check(claims.nbf.is_none_or(|from| now >= from.saturating_sub(leeway)), "it is not valid yet")?;
        check(issuers.contains(&claims.iss), "its issuer is not the tenant's")?;
        let tenant = claims.tid.unwrap_or_default().to_ascii_lowercase();
        check(tenant == self.config.tenant_id, "it belongs to another tenant")?;
        check(self.config.audiences.contains(&claims.aud), "it was issued for another audience")?;
        // An ID token names no client; it says who somebody is, not that they may call.
        let client = claims.azp.or(claims.appid).ok_or(AuthError::Invalid("it is not an access token"))?;
        let clients = &self.config.client_ids;
        let client_known = clients.is_empty() || clients.iter().any(|known| known.eq_ignore_ascii_case(&client));
        check(client_known, "its client application is not accepted")?;
        let oid = claims.oid.unwrap_or_default().to_ascii_lowercase();
        check(!oid.is_empty(), "it has no object id")?;

        let kind = match (claims.idtyp.as_deref(), claims.scp) {
            (Some("app"), _) | (_, None) => CallerKind::App,
            _ => CallerKind::User,
        };
        let names = [claims.name, claims.preferred_username, claims.unique_name, claims.app_displayname];
        let name = names.into_iter().flatten().next().unwrap_or(client);
        Ok(Caller { oid, tenant, roles: claims.roles, kind, name })
    }
}

/// The library checks the signature, with this algorithm whatever the token says; the claims are checked here,
/// against a clock that can be set.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
