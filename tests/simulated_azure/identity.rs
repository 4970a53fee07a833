use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::lab::Lab;

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn the_identity_endpoint_gives_a_token_for_the_resource_that_was_asked_for() {
    let lab = Lab::open().await;
    let answer = lab.ask_identity("?api-version=2019-08-01&resource=https://storage.azure.com/").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert!(body["expires_on"].as_str().unwrap().parse::<i64>().unwrap() > 1_700_000_000);
    assert_eq!(body["token_type"], "Bearer");
    let claims = claims(body["access_token"].as_str().unwrap());
    assert_eq!(claims["aud"], "https://storage.azure.com/");
    assert_eq!(claims["idtyp"], "app");
    assert_eq!(claims["oid"], claims["sub"]);
}

#[tokio::test]
async fn the_identity_endpoint_wants_its_header() {
    let lab = Lab::open().await;
    let url = format!("{}?api-version=2019-08-01&resource={}", lab.settings["IDENTITY_ENDPOINT"], lab.base());
    assert_eq!(lab.http.get(&url).send().await.unwrap().status(), 401);
    let stale = lab.http.get(&url).header("X-IDENTITY-HEADER", "stale").send().await.unwrap();
    assert_eq!(stale.status(), 401);
}

#[tokio::test]
async fn the_identity_endpoint_refuses_what_it_does_not_know() {
    let lab = Lab::open().await;
    for query in [
        "?api-version=2019-08-01".to_owned(),
        "?api-version=2019-08-01&resource=https://unknown.example".to_owned(),
        format!("?api-version=2017-09-01&resource={}", lab.base()),
        format!("?resource={}", lab.base()),
        format!("?api-version=2019-08-01&resource={}&client_id=7d9b5b0e-0000-4000-8000-000000000000", lab.base()),
    ] {
        let answer = lab.ask_identity(&query).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{query}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["statusCode"], 400);
        assert!(body["correlationId"].is_string());
    }
}
