use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use windlass::dev::azure::{Forgery, TokenRequest, TokenVersion};

use crate::lab::Lab;

async fn json_at(lab: &Lab, url: &str) -> Value {
    lab.http.get(url).send().await.unwrap().json().await.unwrap()
}

async fn metadata(lab: &Lab, tenant: &str) -> Value {
    let url = format!("{}{tenant}/v2.0/.well-known/openid-configuration", lab.settings["AZURE_AUTHORITY_HOST"]);
    json_at(lab, &url).await
}

/// Validates as the product has to: the published key, RS256 alone, issuer, audience, expiry.
async fn accepted(lab: &Lab, token: &str) -> Result<Value, String> {
    let metadata = metadata(lab, &lab.settings["WINDLASS_AUTH_TENANT_ID"]).await;
    let keys: JwkSet = serde_json::from_value(json_at(lab, metadata["jwks_uri"].as_str().unwrap()).await).unwrap();
    let kid = decode_header(token).ok().and_then(|header| header.kid).ok_or("no kid")?;
    let key = keys.find(&kid).ok_or("unknown key")?;
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[&lab.settings["WINDLASS_AUTH_AUDIENCE"]]);
    rules.set_issuer(&[metadata["issuer"].as_str().unwrap()]);
    rules.leeway = 0;
    let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string())?;
    decode::<Value>(token, &key, &rules).map(|token| token.claims).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_minted_token_validates_against_the_published_metadata() {
    let lab = Lab::open().await;
    let claims = accepted(&lab, &lab.azure.mint(json!({"name": "Somebody", "scp": null}))).await.unwrap();
    assert_eq!(claims["name"], "Somebody");
    assert_eq!(claims["roles"], json!(["UpgradeAdmin"]));
    assert!(claims.get("scp").is_none());
}

#[tokio::test]
async fn every_forgery_is_one() {
    let lab = Lab::open().await;
    for forgery in [Forgery::WrongKey, Forgery::UnknownKey, Forgery::AlgNone, Forgery::Hs256, Forgery::Tampered] {
        let token = lab.azure.token(&TokenRequest { forgery: Some(forgery), ..TokenRequest::default() });
        assert!(accepted(&lab, &token).await.is_err(), "{forgery:?}");
    }
    let wrong = [
        lab.azure.mint(json!({"aud": "00000003-0000-0000-c000-000000000000"})),
        lab.azure.mint(json!({"iss": "https://login.microsoftonline.com/other/v2.0"})),
        lab.azure.token(&TokenRequest { expires_in_s: Some(-60), ..TokenRequest::default() }),
        lab.azure.token(&TokenRequest { version: TokenVersion::V1, ..TokenRequest::default() }),
    ];
    for token in wrong {
        assert!(accepted(&lab, &token).await.is_err());
    }
}

#[tokio::test]
async fn a_rotated_key_vanishes_and_the_next_one_signs() {
    let lab = Lab::open().await;
    let old = lab.azure.mint(json!({}));
    lab.azure.rotate_keys().await.unwrap();
    assert_eq!(accepted(&lab, &old).await, Err("unknown key".into()));
    assert!(accepted(&lab, &lab.azure.mint(json!({}))).await.is_ok());
    // What the identity endpoint gave out goes on being good.
    lab.get("/runs").await;
}

#[tokio::test]
async fn published_keys_do_not_name_an_algorithm() {
    let lab = Lab::open().await;
    let keys = json_at(&lab, &format!("{}/common/discovery/v2.0/keys", lab.base())).await;
    assert!(keys["keys"][0].get("alg").is_none());
    assert_eq!(keys["keys"][0]["kid"], keys["keys"][0]["x5t"]);
    let issuer = metadata(&lab, "common").await["issuer"].as_str().unwrap().to_owned();
    assert!(issuer.ends_with("/{tenantid}/v2.0"), "{issuer}");
}

#[tokio::test]
async fn an_unknown_tenant_is_refused() {
    let lab = Lab::open().await;
    let url = format!("{}/elsewhere/v2.0/.well-known/openid-configuration", lab.base());
    let answer = lab.http.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["error"], &body["error_codes"][0]), (&json!("invalid_tenant"), &json!(90002)));
}

#[tokio::test]
async fn client_credentials_are_checked_one_by_one() {
    let lab = Lab::open().await;
    let client = lab.azure.client();
    let url = format!("{}/{}/oauth2/v2.0/token", lab.base(), lab.settings["WINDLASS_AUTH_TENANT_ID"]);
    let scope = format!("api://{}/.default", lab.settings["WINDLASS_AUTH_AUDIENCE"]);
    let ask = |grant: &str, id: &str, secret: &str, scope: &str| {
        let body = format!("grant_type={grant}&client_id={id}&client_secret={secret}&scope={scope}");
        lab.http.post(&url).header("content-type", "application/x-www-form-urlencoded").body(body).send()
    };
    let (id, secret) = (client.client_id.as_str(), client.client_secret.as_str());
    let good: Value = ask("client_credentials", id, secret, &scope).await.unwrap().json().await.unwrap();
    let claims = accepted(&lab, good["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(claims["azp"], id);
    assert!(claims.get("scp").is_none());
    for (grant, id, secret, scope, status, error) in [
        ("password", id, secret, scope.as_str(), 400, "unsupported_grant_type"),
        ("client_credentials", "nobody", secret, &scope, 400, "unauthorized_client"),
        ("client_credentials", id, "wrong", &scope, 401, "invalid_client"),
        ("client_credentials", id, secret, "openid", 400, "invalid_scope"),
        ("client_credentials", id, secret, "api://other/.default", 400, "invalid_resource"),
        ("client_credentials", id, secret, "", 400, "invalid_request"),
    ] {
        let answer = ask(grant, id, secret, scope).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], error);
    }
}

#[tokio::test]
async fn tokens_are_minted_over_http_too() {
    let lab = Lab::open().await;
    let wanted = json!({"claims": {"oid": "me"}, "version": "2.0"});
    let answer = lab.http.post(format!("{}/_sim/tokens", lab.base())).json(&wanted).send().await.unwrap();
    let token = answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    assert_eq!(accepted(&lab, &token).await.unwrap()["oid"], "me");
}
