use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use windlass::dev::azure::RequestEffect;

use crate::lab::{Lab, code};
use crate::platform::{APP, header};

const STATUSES: &str = "/containerappOperationStatuses/";

fn change(n: u64) -> Value {
    json!({"properties": {"configuration": {"maxInactiveRevisions": n}}})
}

#[tokio::test]
async fn an_accepted_change_has_no_body_and_two_long_addresses_at_subscription_scope() {
    let lab = Lab::open().await;
    let (_, answer) = lab.roll_out("v1.1.0", "v1-1-0").await;
    assert_eq!((header(&answer, "retry-after"), header(&answer, "content-length")), ("5".into(), "0".into()));
    let subscription = format!("{}/subscriptions/{}", lab.base(), lab.settings["PLATFORM_SUBSCRIPTION_ID"]);
    for (name, kind) in [("location", "Results"), ("azure-asyncoperation", "Statuses")] {
        let address = header(&answer, name);
        let start = format!("{subscription}/providers/Microsoft.App/locations/westeurope/containerappOperation{kind}/");
        assert!(address.starts_with(&start) && address.len() > 3000, "{address}");
        assert!(["?api-version=2024-03-01", "&t=", "&c=", "&s=", "&h="].iter().all(|part| address.contains(part)));
        assert_eq!(address.contains("&azureAsyncOperation=true"), kind == "Statuses");
    }
}

#[tokio::test]
async fn a_status_tells_how_it_goes_and_is_signed_anew_each_time() {
    let lab = Lab::open().await;
    let (_, answer) = lab.roll_out("v1.1.0", "v1-1-0").await;
    let first = header(&answer, "azure-asyncoperation");
    let poll = lab.poll(&first).await;
    assert!(poll.headers().get("retry-after").is_none());
    let second = header(&poll, "azure-asyncoperation");
    assert_ne!(first, second);
    let told: Value = poll.json().await.unwrap();
    assert_eq!(told["status"], "InProgress");
    assert!(told["id"].as_str().unwrap().ends_with(told["name"].as_str().unwrap()));
    assert!(!told["startTime"].as_str().unwrap().ends_with('Z'));
    assert!(told.get("error").is_none());
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
    assert_eq!(lab.poll(&first).await.status(), 200, "an older address goes on being good for a while");
}

#[tokio::test]
async fn results_are_empty_until_they_are_the_app() {
    let lab = Lab::open().await;
    let (_, answer) = lab.roll_out("v1.1.0", "v1-1-0").await;
    let mut address = header(&answer, "location");
    for _ in 0..2 {
        let poll = lab.poll(&address).await;
        assert_eq!((poll.status().as_u16(), header(&poll, "retry-after")), (202, "5".into()));
        let next = header(&poll, "location");
        assert_ne!(address, next);
        assert!(poll.text().await.unwrap().is_empty());
        address = next;
    }
    let done = lab.poll(&address).await;
    assert_eq!(done.status(), 200);
    assert_eq!(done.json::<Value>().await.unwrap()["name"], APP);
}

#[tokio::test]
async fn a_failure_tells_its_reason_in_the_status_alone() {
    let lab = Lab::open().await;
    let template = lab.template("v9.9.9", "v9-9-9").await;
    let answer = lab.patch(&json!({"properties": {"template": template}})).await;
    let told = lab.finish_operation(&answer).await;
    assert!(told["error"]["message"].as_str().unwrap().contains("MANIFEST_UNKNOWN"));
    let result = lab.poll(&header(&answer, "location")).await;
    assert_eq!(result.status(), 200);
    let app: Value = result.json().await.unwrap();
    assert_eq!(app["properties"]["provisioningState"], "Failed");
    assert!(app.get("error").is_none() && !app.to_string().contains("MANIFEST_UNKNOWN"));
}

#[tokio::test]
async fn a_changed_address_or_one_without_a_token_opens_nothing() {
    let lab = Lab::open().await;
    let answer = lab.patch(&change(5)).await;
    let good = header(&answer, "azure-asyncoperation");
    for bad in [
        format!("{good}&api-version=2025-07-01"),
        good.replace("api-version=2024-03-01", "api-version=2025-07-01"),
        good.replace("Statuses", "Results"),
        good.split("&h=").next().unwrap().to_owned(),
        good[..good.len() - 1].to_owned(),
    ] {
        assert_eq!(code(lab.poll(&bad).await, 403).await, "InvalidOperationSignature");
    }
    assert_eq!(code(lab.http.get(&good).send().await.unwrap(), 401).await, "AuthenticationFailed");
    lab.azure.skip(Duration::from_secs(2 * 60 * 60));
    assert_eq!(code(lab.poll(&good).await, 403).await, "InvalidOperationSignature");
}

#[tokio::test]
async fn polls_can_be_forbidden_or_not_found_for_a_moment() {
    let lab = Lab::open().await;
    let answer = lab.patch(&change(5)).await;
    let address = header(&answer, "azure-asyncoperation");
    let fail = |status| RequestEffect::Fail { status, html: false, retry_after_s: None };
    lab.meet("GET", STATUSES, fail(403));
    assert_eq!(code(lab.poll(&address).await, 403).await, "AuthorizationFailed");
    lab.meet("GET", STATUSES, fail(404));
    assert_eq!(code(lab.poll(&address).await, 404).await, "NotFound");
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
}

#[tokio::test]
async fn a_patch_can_be_refused_without_effect() {
    let lab = Lab::open().await;
    let path = format!("/containerApps/{APP}$");
    lab.meet("PATCH", &path, RequestEffect::Throttle { retry_after_s: 3 });
    let throttled = lab.patch(&change(5)).await;
    assert_eq!(header(&throttled, "retry-after"), "3");
    assert_eq!(code(throttled, 429).await, "TooManyRequests");
    lab.meet("PATCH", &path, RequestEffect::Fail { status: 409, html: false, retry_after_s: None });
    assert_eq!(code(lab.patch(&change(5)).await, 409).await, "ContainerAppOperationInProgress");
    lab.meet("PATCH", &path, RequestEffect::Drop);
    assert!(lab.app_call(Method::PATCH, "").json(&change(5)).send().await.is_err());
    assert_eq!(lab.azure.app()["properties"]["configuration"]["maxInactiveRevisions"], 100);
}

#[tokio::test]
async fn a_patch_can_take_effect_without_saying_so() {
    let hasty = Duration::from_millis(300);
    for (n, effect) in
        [RequestEffect::FailLate { status: 500 }, RequestEffect::LoseReply, RequestEffect::SlowReply { millis: 60_000 }]
            .into_iter()
            .enumerate()
    {
        let lab = Lab::open().await;
        lab.meet("PATCH", APP, effect.clone());
        let answer = lab.app_call(Method::PATCH, "").json(&change(n as u64)).timeout(hasty).send().await;
        match answer {
            Ok(answer) => assert_eq!(code(answer, 500).await, "InternalServerError"),
            Err(error) => assert_ne!(effect, RequestEffect::FailLate { status: 500 }, "{error}"),
        }
        assert_eq!(lab.azure.app()["properties"]["configuration"]["maxInactiveRevisions"], n);
    }
}

#[tokio::test]
async fn who_hangs_up_on_a_slow_call_has_called_without_effect() {
    let lab = Lab::open().await;
    lab.meet("PATCH", APP, RequestEffect::Slow { millis: 60_000 });
    let call = lab.app_call(Method::PATCH, "").json(&change(7)).timeout(Duration::from_millis(200));
    assert!(call.send().await.is_err());
    lab.settle().await;
    assert_eq!(lab.azure.app()["properties"]["configuration"]["maxInactiveRevisions"], 100);
}
