//! The principal that App Service authentication puts into a header.
//!
//! The platform strips the header from outside requests only while its authentication is on, which is why
//! configuration has to vouch for it. Source: App Service, "work with user identities".

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::caller::{Caller, CallerKind};
use super::error::AuthError;
use crate::config::EasyAuthConfig;

const HEADER: &str = "x-ms-client-principal";
const PROVIDER: &str = "aad";

const OID: [&str; 2] = ["oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"];
const TENANT: [&str; 2] = ["tid", "http://schemas.microsoft.com/identity/claims/tenantid"];
const ROLE: [&str; 2] = ["roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"];
const NAME: [&str; 2] = ["name", "preferred_username"];

#[derive(Deserialize)]
struct Principal {
    auth_typ: String,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

impl Principal {
    fn all<'a>(&'a self, names: [&'a str; 2]) -> impl Iterator<Item = &'a str> {
        self.claims.iter().filter(move |claim| names.contains(&claim.typ.as_str())).map(|claim| claim.val.as_str())
    }

    fn first<'a>(&'a self, names: [&'a str; 2]) -> Option<&'a str> {
        self.all(names).find(|value| !value.is_empty())
    }
}

/// `None` if the header is missing.
pub(super) fn caller(headers: &HeaderMap, config: &EasyAuthConfig) -> Result<Option<Caller>, AuthError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::Invalid("the principal header is given more than once"));
    }
    let unreadable = AuthError::Invalid("the principal header cannot be read");
    let json = STANDARD.decode(value.as_bytes()).map_err(|_| unreadable.clone())?;
    let principal: Principal = serde_json::from_slice(&json).map_err(|_| unreadable)?;

    if !principal.auth_typ.eq_ignore_ascii_case(PROVIDER) {
        return Err(AuthError::Invalid("the principal was not signed in by Entra"));
    }
    let oid = principal.first(OID).ok_or(AuthError::Invalid("the principal has no object id"))?;
    let tenant = principal.first(TENANT).ok_or(AuthError::Invalid("the principal has no tenant id"))?;
    if config.tenant_id.as_ref().is_some_and(|expected| !expected.eq_ignore_ascii_case(tenant)) {
        return Err(AuthError::Invalid("the principal belongs to another tenant"));
    }
    let kind = match principal.first(["idtyp", "idtyp"]) {
        Some("app") => CallerKind::App,
        _ => CallerKind::User,
    };
    Ok(Some(Caller {
        oid: oid.to_ascii_lowercase(),
        tenant: tenant.to_ascii_lowercase(),
        roles: principal.all(ROLE).map(str::to_owned).collect(),
        kind,
        name: principal.first(NAME).unwrap_or(oid).to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const OURS: &str = "11111111-2222-3333-4444-555555555555";

    fn read(principal: &Value) -> Result<Option<Caller>, AuthError> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, STANDARD.encode(principal.to_string()).parse().unwrap());
        caller(&headers, &EasyAuthConfig { tenant_id: Some(OURS.to_owned()) })
    }

    fn principal(provider: &str, claims: &[(&str, &str)]) -> Value {
        let claims: Vec<_> = claims.iter().map(|(typ, val)| json!({"typ": typ, "val": val})).collect();
        json!({"auth_typ": provider, "claims": claims, "name_typ": "name", "role_typ": "roles"})
    }

    #[test]
    fn claims_are_found_by_their_short_and_their_long_names() {
        let expected = Caller {
            oid: "0a".to_owned(),
            tenant: OURS.to_owned(),
            roles: vec!["Reader".to_owned(), "UpgradeAdmin".to_owned()],
            kind: CallerKind::User,
            name: "Ada".to_owned(),
        };
        let name = ("name", "Ada");
        let short = [("oid", "0A"), ("tid", OURS), ("roles", "Reader"), ("roles", "UpgradeAdmin"), name];
        let long = [(OID[1], "0A"), (TENANT[1], OURS), (ROLE[1], "Reader"), (ROLE[1], "UpgradeAdmin"), name];
        assert_eq!(read(&principal("aad", &short)), Ok(Some(expected.clone())));
        assert_eq!(read(&principal("aad", &long)), Ok(Some(expected)));
    }

    #[test]
    fn a_principal_of_another_tenant_or_provider_or_without_an_id_is_refused() {
        let refused = [
            principal("aad", &[("oid", "0a"), ("tid", "other")]),
            principal("aad", &[("oid", "0a")]),
            principal("aad", &[("tid", OURS)]),
            principal("aad", &[("oid", ""), ("tid", OURS)]),
            principal("google", &[("oid", "0a"), ("tid", OURS)]),
            json!({"auth_typ": "aad"}),
            json!([]),
        ];
        for principal in refused {
            assert!(matches!(read(&principal), Err(AuthError::Invalid(_))), "{principal}");
        }
    }

    #[test]
    fn a_header_that_is_garbage_or_doubled_is_refused() {
        let config = EasyAuthConfig { tenant_id: None };
        let mut headers = HeaderMap::new();
        assert_eq!(caller(&headers, &config), Ok(None));
        headers.insert(HEADER, "%%%".parse().unwrap());
        assert!(caller(&headers, &config).is_err());

        let fits = principal("aad", &[("oid", "0a"), ("tid", "any")]).to_string();
        headers.insert(HEADER, STANDARD.encode(&fits).parse().unwrap());
        assert!(caller(&headers, &config).is_ok_and(|caller| caller.is_some()));
        headers.append(HEADER, STANDARD.encode(&fits).parse().unwrap());
        assert!(caller(&headers, &config).is_err());
    }
}
