use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use windlass::dev::azure::{Forgery, TokenRequest, TokenVersion};

use crate::lab::{Lab, VERSION, code, request};

#[tokio::test]
async fn the_registry_is_told_with_the_headers_of_resource_manager() {
    let lab = Lab::open().await;
    let answer = lab
        .arm(Method::GET, "")
        .header("x-ms-client-request-id", "mine")
        .header("x-ms-return-client-request-id", "true")
        .header("x-ms-correlation-request-id", "together")
        .send();
    let answer = answer.await.unwrap();
    // The version of tasks is none of the registry's own.
    assert_eq!(answer.headers()["x-ms-correlation-request-id"], "together");
    assert_eq!(answer.headers()["x-ms-client-request-id"], "mine");
    assert_eq!(answer.headers()["x-ms-ratelimit-remaining-subscription-global-reads"], "16499");
    assert_eq!(code(answer, 400).await, "NoRegisteredProviderFound");
    let path =
        format!("{}?api-version=2025-11-01", lab.registry().to_uppercase().replace("API-VERSION", "api-version"));
    let answer = lab.arm_at(Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["properties"]["loginServer"], lab.login_server());
    assert_eq!(body["id"], lab.registry());
}

#[tokio::test]
async fn only_believable_tokens_for_resource_manager_get_in() {
    let lab = Lab::open().await;
    let url = format!("{}{}?api-version=2025-11-01", lab.base(), lab.registry());
    let ask = |token: String| lab.http.get(&url).bearer_auth(token).send();
    let user = |change: TokenRequest| {
        let mut claims = change.claims.clone();
        claims.entry("aud").or_insert(json!("https://management.azure.com/"));
        lab.azure.token(&TokenRequest { claims, ..change })
    };
    let plain = TokenRequest::default;
    assert_eq!(ask(user(plain())).await.unwrap().status(), 200);
    assert_eq!(ask(user(TokenRequest { version: TokenVersion::V1, ..plain() })).await.unwrap().status(), 200);
    let other_tenant = json!({"iss": "https://sts.windows.net/other/"});
    for (token, wanted) in [
        (user(TokenRequest { forgery: Some(Forgery::WrongKey), ..plain() }), "InvalidAuthenticationToken"),
        (user(TokenRequest { forgery: Some(Forgery::AlgNone), ..plain() }), "InvalidAuthenticationToken"),
        (user(TokenRequest { expires_in_s: Some(-1), ..plain() }), "ExpiredAuthenticationToken"),
        (lab.azure.mint(json!({})), "InvalidAuthenticationTokenAudience"),
        (
            user(TokenRequest { claims: other_tenant.as_object().unwrap().clone(), ..plain() }),
            "InvalidAuthenticationTokenTenant",
        ),
        ("nonsense".into(), "InvalidAuthenticationToken"),
    ] {
        let answer = ask(token).await.unwrap();
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(challenge.starts_with("Bearer authorization_uri="), "{challenge}");
        assert_eq!(code(answer, 401).await, wanted);
    }
    assert_eq!(code(lab.http.get(&url).send().await.unwrap(), 401).await, "AuthenticationFailed");
}

#[tokio::test]
async fn a_token_runs_out_with_the_simulators_clock() {
    let lab = Lab::open().await;
    lab.azure.skip(Duration::from_secs(25 * 60 * 60));
    assert_eq!(code(lab.arm(Method::GET, "/runs").send().await.unwrap(), 401).await, "ExpiredAuthenticationToken");
    let fresh = lab.managed_identity_token(&lab.base()).await;
    let url = format!("{}{}/runs?api-version={VERSION}", lab.base(), lab.registry());
    assert_eq!(lab.http.get(url).bearer_auth(fresh).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn api_versions_are_required_and_known_by_type() {
    let lab = Lab::open().await;
    for (below, version, wanted) in [
        ("", "", "MissingApiVersionParameter"),
        ("", "?api-version=", "MissingApiVersionParameter"),
        ("", "?api-version=2019-06-01-preview", "NoRegisteredProviderFound"),
        ("/runs", "?api-version=2025-11-01", "NoRegisteredProviderFound"),
        ("/taskRuns", "?api-version=2019-04-01", "NoRegisteredProviderFound"),
    ] {
        let path = format!("{}{below}{version}", lab.registry());
        assert_eq!(code(lab.arm_at(Method::GET, &path).send().await.unwrap(), 400).await, wanted, "{path}");
    }
    let subscription = format!("/subscriptions/{}", lab.settings["PLATFORM_SUBSCRIPTION_ID"]);
    let old = lab.arm_at(Method::GET, &format!("{subscription}?api-version=2011-01-01")).send().await.unwrap();
    assert_eq!(code(old, 400).await, "InvalidApiVersionParameter");
    let good = lab.arm_at(Method::GET, &format!("{subscription}?api-version=2022-12-01")).send().await.unwrap();
    assert_eq!(good.json::<Value>().await.unwrap()["state"], "Enabled");
}

#[tokio::test]
async fn what_does_not_exist_is_named_by_what_is_missing() {
    let lab = Lab::open().await;
    let good = lab.registry();
    let settings = &lab.settings;
    for (path, wanted) in [
        (good.replace(&settings["PLATFORM_SUBSCRIPTION_ID"], "0"), "SubscriptionNotFound"),
        (good.replace(&settings["PLATFORM_RESOURCE_GROUP"], "nothing"), "ResourceGroupNotFound"),
        (good.replace(&settings["PLATFORM_ACR_NAME"], "elsewhere"), "ResourceNotFound"),
        (format!("{good}/webhooks"), "InvalidResourceType"),
        (format!("{good}/runs/cf9"), "RunNotFound"),
        (format!("{good}/taskRuns/nobody"), "ResourceNotFound"),
    ] {
        let answer = lab.arm_at(Method::GET, &format!("{path}?api-version={VERSION}")).send().await.unwrap();
        assert_eq!(code(answer, 404).await, wanted, "{path}");
    }
    for call in ["cancel", "listLogSasUrl"] {
        let answer = lab.post_empty(&format!("/runs/cf9/{call}")).send().await.unwrap();
        assert_eq!(code(answer, 404).await, "RunNotFound");
    }
    assert_eq!(code(lab.arm(Method::GET, "/scheduleRun").send().await.unwrap(), 405).await, "MethodNotAllowed");
}

#[tokio::test]
async fn a_body_must_be_json_and_say_so() {
    let lab = Lab::open().await;
    let post = || lab.arm(Method::POST, "/scheduleRun");
    assert_eq!(code(post().body("{}").send().await.unwrap(), 415).await, "UnsupportedMediaType");
    let text = post().header("content-type", "text/plain").body("{}");
    assert_eq!(code(text.send().await.unwrap(), 415).await, "UnsupportedMediaType");
    let broken = post().header("content-type", "application/json").body("{\"type\":");
    assert_eq!(code(broken.send().await.unwrap(), 400).await, "InvalidRequestContent");
    let empty = lab.post_empty("/scheduleRun").send().await.unwrap();
    assert_eq!(code(empty, 400).await, "InvalidRequestContent");
    assert_eq!(code(post().send().await.unwrap(), 411).await, "LengthRequired");
}

#[tokio::test]
async fn a_build_request_is_checked_field_by_field() {
    let lab = Lab::open().await;
    let source = lab.upload(crate::lab::archive(&[("Dockerfile", "FROM scratch\n")])).await;
    for (pointer, value) in [
        ("/type", Value::Null),
        ("/type", json!("FileTaskRunRequest")),
        ("/dockerFilePath", Value::Null),
        ("/dockerFilePath", json!("")),
        ("/platform", Value::Null),
        ("/platform/os", Value::Null),
        ("/platform/os", json!("Plan9")),
        ("/platform/architecture", json!("z80")),
        ("/sourceLocation", Value::Null),
        ("/sourceLocation", json!("source/202611210000/never-offered.tar.gz")),
        ("/imageNames", json!("elb-api:v1")),
        ("/imageNames", json!(["Elb-Api:v1"])),
        ("/imageNames", json!(["windlassdev.azurecr.io/elb-api:v1"])),
        ("/imageNames", json!([format!("{}/elb-api:v1", lab.login_server())])),
        ("/arguments", json!([{"name": "A"}])),
        ("/arguments", json!([{"name": "A", "value": 1}])),
        ("/timeout", json!(299)),
        ("/timeout", json!(28801)),
        ("/timeout", json!("600")),
    ] {
        let mut body = request("elb-api:v1", &source);
        body["timeout"] = json!(600);
        *body.pointer_mut(pointer).unwrap() = value.clone();
        let answer = lab.post("/scheduleRun", &body).await;
        assert_eq!(code(answer, 400).await, "TaskRequestInvalid", "{pointer} = {value}");
    }
    assert!(lab.azure.runs().is_empty());
}
