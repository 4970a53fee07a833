//! JSON web tokens: those that Entra would sign, and those that nobody should believe.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::keys::{Key, Keys, STRANGER};
use super::world::Sim;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum TokenVersion {
    #[serde(rename = "1.0")]
    V1,
    #[default]
    #[serde(rename = "2.0")]
    V2,
}

/// What is wrong with a token's signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// Signed by another key under a published key id.
    WrongKey,
    /// Signed by another key under that key's own id.
    UnknownKey,
    /// `alg` says none and there is no signature.
    AlgNone,
    /// `alg` says HS256; the secret is the published key as PEM.
    Hs256,
    /// The claims were changed after signing.
    Tampered,
}

/// A user token with these changes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRequest {
    pub version: TokenVersion,
    /// Laid over the claims of an ordinary user; `null` takes a claim away.
    pub claims: Map<String, Value>,
    /// From now; negative for a token that has expired.
    pub expires_in_s: Option<i64>,
    pub forgery: Option<Forgery>,
}

const LIFETIME_S: i64 = 75 * 60;

/// A caller of the product, as Entra would describe one. `aud` is the bare client id in both versions.
pub(super) fn user_token(sim: &Sim, wanted: &TokenRequest) -> String {
    let now = sim.clock.now().unix_timestamp();
    let user = Uuid::new_v5(&Uuid::NAMESPACE_OID, b"a simulated developer").to_string();
    let spa = Uuid::new_v5(&Uuid::NAMESPACE_OID, b"a simulated dashboard").to_string();
    let mut claims = json!({
        "aud": sim.options.audience,
        "iat": now,
        "nbf": now,
        "exp": now + wanted.expires_in_s.unwrap_or(LIFETIME_S),
        "oid": user,
        "sub": "c2ltdWxhdGVkLXBhaXJ3aXNlLXN1YmplY3Q",
        "tid": sim.options.tenant_id,
        "scp": "access_as_user",
        "roles": ["UpgradeAdmin"],
        "uti": unique(),
        "name": "Dana Developer",
    });
    let of_version = match wanted.version {
        TokenVersion::V1 => json!({
            "iss": sim.issuer_v1(), "ver": "1.0", "appid": spa, "appidacr": "0", "acr": "1", "amr": ["pwd"],
            "unique_name": "dana@simulated.example", "upn": "dana@simulated.example",
        }),
        TokenVersion::V2 => json!({
            "iss": sim.issuer_v2(), "ver": "2.0", "azp": spa, "azpacr": "0",
            "preferred_username": "dana@simulated.example",
        }),
    };
    lay_over(&mut claims, of_version);
    lay_over(&mut claims, Value::Object(wanted.claims.clone()));
    match wanted.forgery {
        None => sim.keys.current().map(|key| signed(&key, &claims)).unwrap_or_default(),
        Some(forgery) => forged(&sim.keys, forgery, &claims),
    }
}

/// A version 1 token for an application without a user, as managed identities get.
pub(super) fn managed_identity_token(sim: &Sim, resource: &str, expires_at: i64) -> String {
    let now = sim.clock.now().unix_timestamp();
    let who = &sim.identity;
    let claims = json!({
        "aud": resource, "iss": sim.issuer_v1(), "iat": now, "nbf": now, "exp": expires_at,
        "appid": who.client_id, "appidacr": "2", "idp": sim.issuer_v1(), "idtyp": "app",
        "oid": who.object_id, "sub": who.object_id, "tid": sim.options.tenant_id, "uti": unique(), "ver": "1.0",
        "xms_mirid": format!(
            "/subscriptions/{}/resourcegroups/{}/providers/Microsoft.Web/sites/windlass",
            sim.options.subscription_id, sim.options.resource_group
        ),
    });
    sim.keys.current().map(|key| signed(&key, &claims)).unwrap_or_default()
}

/// An application's token of either version: no `scp`, permissions in `roles`, `sub` equal to `oid`.
pub(super) fn client_token(sim: &Sim, audience: &str, issuer: &str, expires_at: i64) -> String {
    let now = sim.clock.now().unix_timestamp();
    let version_1 = issuer == sim.issuer_v1();
    let mut claims = json!({
        "aud": audience, "iss": issuer, "iat": now, "nbf": now, "exp": expires_at,
        "oid": sim.app.object_id, "sub": sim.app.object_id, "tid": sim.options.tenant_id, "uti": unique(),
        "ver": if version_1 { "1.0" } else { "2.0" },
        (if version_1 { "appid" } else { "azp" }): sim.app.client_id,
        (if version_1 { "appidacr" } else { "azpacr" }): "1",
    });
    if !version_1 {
        lay_over(&mut claims, json!({"roles": ["UpgradeAdmin"]}));
    }
    sim.keys.current().map(|key| signed(&key, &claims)).unwrap_or_default()
}

/// Why a token was not believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disbelief {
    /// Not a token, or not one that a known key signed with RS256.
    Invalid,
    Expired {
        at: OffsetDateTime,
    },
}

/// The claims of a token that a known key signed and that has not expired.
pub(super) fn believed(sim: &Sim, token: &str) -> Result<Value, Disbelief> {
    let (message, signature) = token.rsplit_once('.').ok_or(Disbelief::Invalid)?;
    let (header, claims) = message.split_once('.').ok_or(Disbelief::Invalid)?;
    let header = decoded(header).ok_or(Disbelief::Invalid)?;
    let claims = decoded(claims).ok_or(Disbelief::Invalid)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Disbelief::Invalid)?;
    let key = header["kid"].as_str().and_then(|kid| sim.keys.known(kid)).ok_or(Disbelief::Invalid)?;
    if header["alg"] != "RS256" || !key.verifies(message.as_bytes(), &signature) {
        return Err(Disbelief::Invalid);
    }
    let expires = claims["exp"].as_i64().ok_or(Disbelief::Invalid)?;
    let at = OffsetDateTime::from_unix_timestamp(expires).map_err(|_| Disbelief::Invalid)?;
    if at <= sim.clock.now() { Err(Disbelief::Expired { at }) } else { Ok(claims) }
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn lay_over(claims: &mut Value, changes: Value) {
    let (Value::Object(claims), Value::Object(changes)) = (claims, changes) else { return };
    for (name, value) in changes {
        if value.is_null() {
            claims.remove(&name);
        } else {
            claims.insert(name, value);
        }
    }
}

fn unique() -> String {
    URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes())
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(key: &Key, claims: &Value) -> String {
    signed_as(key, &key.kid, claims)
}

fn signed_as(key: &Key, kid: &str, claims: &Value) -> String {
    let message = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "RS256", "kid": kid})), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn forged(keys: &Keys, forgery: Forgery, claims: &Value) -> String {
    let Some(current): Option<Arc<Key>> = keys.current() else { return String::new() };
    let kid = &current.kid;
    match forgery {
        Forgery::WrongKey => STRANGER.as_ref().map(|key| signed_as(key, kid, claims)).unwrap_or_default(),
        Forgery::UnknownKey => STRANGER.as_ref().map(|key| signed(key, claims)).unwrap_or_default(),
        Forgery::AlgNone => {
            format!("{}.{}.", part(&json!({"typ": "JWT", "alg": "none", "kid": kid})), part(claims))
        }
        Forgery::Hs256 => {
            let message = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "HS256", "kid": kid})), part(claims));
            let secret = hmac::Key::new(hmac::HMAC_SHA256, current.public_pem().as_bytes());
            let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes()));
            format!("{message}.{signature}")
        }
        Forgery::Tampered => {
            let honest = signed(&current, claims);
            let mut changed = claims.clone();
            lay_over(&mut changed, json!({"oid": Uuid::new_v4().to_string()}));
            let mut parts = honest.split('.');
            let (header, signature) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
            format!("{header}.{}.{signature}", part(&changed))
        }
    }
}
