//! Which sources of identity count: those that are configured, and no others.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use windlass::config::{AuthConfig, DevBypass, EasyAuthConfig};
use windlass::http::auth::DEV_BYPASS_TOKEN;

use crate::issuer::{FIRST, TENANT};
use crate::world::{OID, World, entra};

const PRINCIPAL: &str = "x-ms-client-principal";

fn principal() -> String {
    let claims =
        json!([{"typ": "oid", "val": OID}, {"typ": "tid", "val": TENANT}, {"typ": "roles", "val": "UpgradeAdmin"}]);
    STANDARD.encode(json!({"auth_typ": "aad", "claims": claims}).to_string())
}

fn bypass() -> DevBypass {
    DevBypass { oid: OID.to_owned(), roles: vec!["UpgradeAdmin".to_owned()] }
}

fn easyauth() -> EasyAuthConfig {
    EasyAuthConfig { tenant_id: Some(TENANT.to_owned()) }
}

#[tokio::test]
async fn without_a_source_nobody_is_let_in() {
    let world = World::with(AuthConfig::default()).await;
    let request = world.get("/whoami").bearer_auth(FIRST.sign(&world.v2())).header(PRINCIPAL, principal());
    assert_eq!(world.send(request).await.code(), (401, "authentication_not_configured"));
    assert_eq!(world.call(DEV_BYPASS_TOKEN).await.code(), (401, "authentication_not_configured"));
    assert_eq!(world.issuer.asked(), 0);
}

#[tokio::test]
async fn a_missing_credential_is_asked_for() {
    let world = World::entra().await;
    for request in [world.get("/whoami"), world.get("/whoami").basic_auth("a", Some("b"))] {
        let answer = world.send(request).await;
        assert_eq!(answer.code(), (401, "missing_credential"));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case_and_a_second_header_is_refused() {
    let world = World::entra().await;
    let token = FIRST.sign(&world.v2());
    let request = world.get("/whoami").header("authorization", format!("bearer {token}"));
    assert_eq!(world.send(request).await.status, 200);
    let doubled = world.get("/whoami").bearer_auth(&token).bearer_auth(&token);
    assert_eq!(world.send(doubled).await.code(), (401, "invalid_token"));
}

#[tokio::test]
async fn the_development_bypass_works_only_where_it_is_configured() {
    let world = World::with(AuthConfig { dev_bypass: Some(bypass()), ..AuthConfig::default() }).await;
    let answer = world.call(DEV_BYPASS_TOKEN).await;
    assert_eq!((answer.status, &answer.body["kind"]), (200, &json!("dev")));
    assert_eq!(world.send(world.post("/upgrade").bearer_auth(DEV_BYPASS_TOKEN)).await.status, 200);
    assert_eq!(world.call("__dev_bypass").await.code(), (401, "invalid_token"));

    let world = World::entra().await;
    assert_eq!(world.call(DEV_BYPASS_TOKEN).await.code(), (401, "invalid_token"));
}

#[tokio::test]
async fn the_platforms_header_counts_only_where_it_is_configured() {
    let header = |world: &World| world.get("/whoami").header(PRINCIPAL, principal());
    for config in [
        AuthConfig { entra: Some(entra()), ..AuthConfig::default() },
        AuthConfig { dev_bypass: Some(bypass()), ..AuthConfig::default() },
    ] {
        let world = World::with(config).await;
        assert_eq!(world.send(header(&world)).await.code(), (401, "missing_credential"));
    }
    let world = World::with(AuthConfig { easyauth: Some(easyauth()), ..AuthConfig::default() }).await;
    assert_eq!(world.send(header(&world)).await.body["oid"], OID);
    // The platform hands the token on that it has checked itself.
    assert_eq!(world.send(header(&world).bearer_auth("x.y.z")).await.status, 200);
    assert_eq!(world.send(world.get("/whoami")).await.code(), (401, "missing_credential"));
}

#[tokio::test]
async fn a_refused_token_is_not_made_up_for_by_a_header() {
    let config = AuthConfig { entra: Some(entra()), easyauth: Some(easyauth()), dev_bypass: None };
    let world = World::with(config).await;
    let header = || world.get("/whoami").header(PRINCIPAL, principal());
    assert_eq!(world.send(header()).await.status, 200);
    assert_eq!(world.send(header().bearer_auth("x.y.z")).await.code(), (401, "invalid_token"));
}
