//! Every call to Azure fails in every way once, and the upgrade succeeds all the same.

use windlass::dev::azure::RequestEffect;

use crate::platform::Platform;

const CALLS: [(&str, &str); 7] = [
    ("GET", "/msi/token"),
    ("POST", "/listBuildSourceUploadUrl"),
    ("PUT", "/source/"),
    ("POST", "/scheduleRun"),
    ("GET", "/runs/"),
    ("POST", "/listLogSasUrl"),
    ("GET", "/rawtext.log"),
];

fn effects() -> [RequestEffect; 5] {
    [
        RequestEffect::Throttle { retry_after_s: 3 },
        RequestEffect::Fail { status: 500, html: false, retry_after_s: None },
        RequestEffect::Fail { status: 503, html: true, retry_after_s: Some(2) },
        RequestEffect::Drop,
        RequestEffect::LoseReply,
    ]
}

/// Has an upgrade meet the effect three times in a row, since some calls are made again at once.
async fn survives(platform: &Platform, method: &str, path: &str, effect: &RequestEffect) {
    meets(platform, 3, method, path, effect).await;
}

async fn meets(platform: &Platform, times: u32, method: &str, path: &str, effect: &RequestEffect) {
    platform.azure.reset();
    for _ in 0..times {
        platform.arm(method, path, effect.clone());
    }
    let what = format!("{method} {path} {effect:?}");
    let upgrade = platform.start("1.2.3").await.drain().await;
    assert!(upgrade.run.failure.is_none(), "{what}: {:?}", upgrade.run.failure);
    upgrade.expect_succeeded().expect_whole_logs(platform).await;
    assert!(platform.azure.faults().is_empty(), "{what} was never met");
    let scheduled = platform.azure.runs().len();
    // Who does not hear that a build was begun begins it again: the image is the same.
    let lost = if path == "/scheduleRun" && *effect == RequestEffect::LoseReply { 3 } else { 0 };
    assert_eq!(scheduled, 3 + lost, "{what}");
    let pushed = platform.azure.images();
    for build in upgrade.state.builds.values() {
        assert_eq!(build.digest.as_ref(), pushed.get(&build.image), "{what}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_to_be_had_for_a_while_is_asked_for_again() {
    let platform = Platform::open().await;
    for effect in effects() {
        survives(&platform, CALLS[0].0, CALLS[0].1, &effect).await;
    }
}

#[tokio::test]
async fn an_upload_survives_every_kind_of_trouble() {
    let platform = Platform::open().await;
    for effect in effects() {
        for (method, path) in &CALLS[1..3] {
            survives(&platform, method, path, &effect).await;
        }
    }
}

#[tokio::test]
async fn an_upload_whose_permission_has_ended_gets_a_new_one() {
    let platform = Platform::open().await;
    survives(&platform, "PUT", "/source/", &RequestEffect::ExpiredSignature).await;
}

#[tokio::test]
async fn a_schedule_survives_every_kind_of_trouble() {
    let platform = Platform::open().await;
    for effect in effects() {
        survives(&platform, CALLS[3].0, CALLS[3].1, &effect).await;
    }
}

#[tokio::test]
async fn a_look_survives_every_kind_of_trouble() {
    let platform = Platform::open().await;
    for effect in effects() {
        for (method, path) in &CALLS[4..] {
            survives(&platform, method, path, &effect).await;
        }
    }
}

#[tokio::test]
async fn a_slow_call_is_waited_for() {
    let platform = Platform::open().await;
    for (method, path) in CALLS {
        meets(&platform, 1, method, path, &RequestEffect::Slow { millis: 30 }).await;
    }
}

#[tokio::test]
async fn a_build_that_was_begun_is_not_forgotten_because_its_neighbour_was_refused() {
    let platform = Platform::open().await;
    platform.arm_after(1, "POST", "/scheduleRun", RequestEffect::Drop);
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
    assert_eq!(platform.azure.runs().len(), 3);
}

#[tokio::test]
async fn a_refusal_for_good_names_its_cause_and_stops_what_was_begun() {
    for (method, path, status, code) in [
        ("POST", "/listBuildSourceUploadUrl", 403, "azure_permission_missing"),
        ("POST", "/scheduleRun", 403, "azure_permission_missing"),
        ("POST", "/scheduleRun", 404, "azure_not_found"),
        ("POST", "/scheduleRun", 400, "azure_request_refused"),
        ("POST", "/scheduleRun", 401, "azure_identity_refused"),
        ("POST", "/scheduleRun", 409, "azure_conflict"),
        ("GET", "/runs/", 403, "azure_permission_missing"),
    ] {
        let platform = Platform::open().await;
        let after = u32::from(path != "/listBuildSourceUploadUrl");
        platform.arm_after(after, method, path, RequestEffect::Fail { status, html: false, retry_after_s: None });
        let upgrade = platform.start("1.2.3").await.drain().await;
        upgrade.expect_failed(code);
        assert!(upgrade.retried().iter().all(|cause| *cause == code), "{:?}", upgrade.retried());
    }
}

#[tokio::test]
async fn a_registry_that_stays_out_of_reach_is_given_up_and_named() {
    let platform = Platform::open().await;
    for _ in 0..10 {
        platform.arm(
            "POST",
            "/listBuildSourceUploadUrl",
            RequestEffect::Fail { status: 503, html: true, retry_after_s: None },
        );
    }
    let upgrade = platform.start("1.2.3").await.drain().await;
    let failure = upgrade.expect_failed("azure_unavailable");
    assert!(failure.message.contains("upload"), "{failure}");
}
