//! Which Entra tokens count (S2.10 decides what their bearers may do).

use std::time::Duration;

use forgery::hs256;
use serde_json::{Value, json};

use crate::issuer::{FIRST, STRANGER, base64url};
use crate::world::{ADMIN_OID, Log, OID, World};

/// The claims with one of them changed; `null` takes it away.
fn but(mut claims: Value, name: &str, value: Value) -> Value {
    let fields = claims.as_object_mut().unwrap();
    match value {
        Value::Null => fields.remove(name),
        value => fields.insert(name.to_owned(), value),
    };
    claims
}

#[tokio::test]
async fn a_v2_token_tells_who_calls() {
    let world = World::entra().await;
    let answer = world.call(&FIRST.sign(&world.v2())).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let expected = json!({
        "oid": OID, "tenant": crate::issuer::TENANT, "roles": ["Deployer"], "kind": "user", "name": "Ada",
    });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn a_v1_token_does_as_well() {
    let world = World::entra().await;
    let answer = world.call(&FIRST.sign(&world.v1())).await;
    assert_eq!((answer.status, &answer.body["name"]), (200, &json!("ada@example.com")));
}

#[tokio::test]
async fn a_program_with_an_identity_of_its_own_is_told_from_a_person() {
    let world = World::entra().await;
    for claims in [but(world.v2(), "scp", Value::Null), but(world.v2(), "idtyp", json!("app"))] {
        assert_eq!(world.call(&FIRST.sign(&claims)).await.body["kind"], "app");
    }
}

#[tokio::test]
async fn each_failing_check_is_told_and_nothing_else() {
    let world = World::entra().await;
    let v2 = world.v2();
    let now = crate::world::NOW;
    for (claims, told) in [
        (but(v2.clone(), "exp", json!(now - 120)), "expired"),
        (but(v2.clone(), "exp", Value::Null), "claims"),
        (but(v2.clone(), "exp", json!("9999999999")), "claims"),
        (but(v2.clone(), "nbf", json!(now + 121)), "not valid yet"),
        (but(v2.clone(), "aud", json!("api://other")), "audience"),
        (but(v2.clone(), "aud", json!(["api://windlass"])), "claims"),
        (but(v2.clone(), "aud", Value::Null), "claims"),
        (but(v2.clone(), "iss", json!(format!("https://login.sovereign.example/{ADMIN_OID}/v2.0"))), "issuer"),
        (but(v2.clone(), "iss", json!(format!("{}/", world.issuer.name()))), "issuer"),
        (but(v2.clone(), "tid", json!(ADMIN_OID)), "another tenant"),
        (but(v2.clone(), "tid", Value::Null), "another tenant"),
        (but(v2.clone(), "azp", json!(ADMIN_OID)), "client application"),
        (but(v2.clone(), "azp", Value::Null), "not an access token"),
        (but(v2.clone(), "oid", Value::Null), "object id"),
        (json!([]), "claims"),
    ] {
        let answer = world.call(&FIRST.sign(&claims)).await;
        assert_eq!(answer.code(), (401, "invalid_token"), "{claims}");
        assert!(answer.message().contains(told), "{claims}: {}", answer.message());
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_two_minutes() {
    let world = World::entra().await;
    let now = crate::world::NOW;
    assert_eq!(world.call(&FIRST.sign(&but(world.v2(), "exp", json!(now - 119)))).await.status, 200);
    assert_eq!(world.call(&FIRST.sign(&but(world.v2(), "nbf", json!(now + 120)))).await.status, 200);
    let token = FIRST.sign(&world.v2());
    world.clock.advance(Duration::from_secs(3_600 + 119));
    assert_eq!(world.call(&token).await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.call(&token).await.code(), (401, "invalid_token"));
}

#[tokio::test]
async fn the_algorithm_is_never_the_tokens_choice() {
    let world = World::entra().await;
    let claims = world.v2();
    let part = |value: &Value| base64url(value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none", "kid": "first"})), part(&claims));
    let shared = hs256(&json!({"alg": "HS256", "kid": "first"}), &claims, &FIRST.modulus());
    let pem_like = hs256(&json!({"alg": "HS256", "kid": "first"}), &claims, FIRST.jwk().to_string().as_bytes());
    let mislabelled = FIRST.sign_as(&json!({"alg": "RS512", "kid": "first"}), &claims);
    let nameless = FIRST.sign_as(&json!({"alg": "RS256"}), &claims);
    let critical = FIRST.sign_as(&json!({"alg": "RS256", "kid": "first", "crit": ["b64"], "b64": false}), &claims);
    let forged = STRANGER.sign_as(&json!({"alg": "RS256", "kid": "first"}), &claims);
    let bringing_its_key = STRANGER.sign_as(&json!({"alg": "RS256", "kid": "first", "jwk": STRANGER.jwk()}), &claims);
    for token in [unsigned, shared, pem_like, mislabelled, nameless, critical, forged, bringing_its_key] {
        assert_eq!(world.call(&token).await.code(), (401, "invalid_token"), "{token}");
    }
    assert_eq!(world.call(&FIRST.sign(&claims)).await.status, 200);
}

#[tokio::test]
async fn a_changed_claim_breaks_the_signature() {
    let world = World::entra().await;
    let token = FIRST.sign(&world.v2());
    let parts: Vec<_> = token.split('.').collect();
    let raised = base64url(but(world.v2(), "roles", json!(["UpgradeAdmin"])).to_string());
    let answer = world.call(&format!("{}.{raised}.{}", parts[0], parts[2])).await;
    assert_eq!(answer.code(), (401, "invalid_token"));
    assert!(answer.message().contains("signature"), "{}", answer.message());
}

#[tokio::test]
async fn garbage_is_refused_and_never_repeated() {
    let world = World::entra().await;
    let (log, _guard) = Log::capture();
    let planted = "pl4nted-s3cret";
    let long = format!("{planted}{}", "a".repeat(40_000));
    for token in [
        planted.to_owned(),
        format!("{planted}.{planted}.{planted}"),
        format!("{}.{}.{planted}", base64url(r#"{"alg":"RS256","kid":"first"}"#), base64url(planted)),
        format!("{}.{planted}.x", base64url(format!(r#"{{"alg":"RS256","kid":"{planted}"}}"#))),
        format!("eyJ.{planted}"),
        format!("..{planted}"),
        format!("{planted} {planted}"),
        long,
    ] {
        let answer = world.call(&token).await;
        assert_eq!(answer.code(), (401, "invalid_token"), "{token}");
        assert!(!format!("{:?}{}", answer.headers, answer.body).contains(planted));
    }
    let query = world.send(world.get(&format!("/whoami?code={planted}")).header("x-functions-key", planted)).await;
    assert_eq!(query.code(), (401, "missing_credential"));
    let text = log.text();
    assert!(text.contains("path=\"/whoami\"") && text.contains("invalid_token"), "{text}");
    assert!(!text.contains(planted), "{text}");
}

#[tokio::test]
async fn upgrading_takes_the_role_or_the_list() {
    let world = World::entra().await;
    let upgrade = async |claims: Value| world.send(world.post("/upgrade").bearer_auth(FIRST.sign(&claims))).await;
    assert_eq!(upgrade(world.v2()).await.code(), (403, "not_an_admin"));
    assert_eq!(upgrade(but(world.v2(), "roles", json!(["upgradeADMIN"]))).await.status, 200);
    assert_eq!(upgrade(but(world.v2(), "oid", json!(ADMIN_OID.to_uppercase()))).await.status, 200);
    assert_eq!(upgrade(but(world.v2(), "name", json!("UpgradeAdmin"))).await.status, 403);
}

/// HS256 made by hand, for the attack in which a public key serves as the shared secret.
mod forgery {
    use aws_lc_rs::hmac;
    use serde_json::Value;

    use crate::issuer::base64url;

    pub fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", base64url(tag))
    }
}
