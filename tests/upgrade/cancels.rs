//! An operator who changes their mind, at every point of an upgrade.

use std::sync::Arc;

use windlass::dev::azure::RequestEffect;

use crate::gate::{Gate, GatedImages, GatedSource, Stop};
use crate::platform::{Plan, Platform};
use crate::upgrade::is_live;

fn none_is_live(platform: &Platform) -> bool {
    platform.azure.runs().iter().all(|build| !is_live(build.status))
}

#[tokio::test]
async fn a_cancelled_upgrade_that_has_not_begun_asks_nobody_for_anything() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await;
    upgrade.cancel().await;
    upgrade.drain().await.expect_terminated();
    assert!(platform.git.seen().is_empty() && platform.azure.requests().is_empty());
}

#[tokio::test]
async fn an_upgrade_that_is_cancelled_while_it_fetches_builds_nothing() {
    let gate = Gate::new();
    let held = gate.clone();
    let source = Box::new(move |inner| Arc::new(GatedSource { inner, gate: held }) as _);
    let platform = Platform::of(Plan { source, ..Plan::default() }).await;
    let mut upgrade = platform.start("1.2.3").await;
    let id = upgrade.id.clone();
    let operator = async {
        gate.arrivals(1).await;
        platform.engine.cancel(&id, "tester", "a change of mind").await.expect("the run can be told");
        gate.open();
    };
    tokio::join!(upgrade.deliver(), operator);
    upgrade.drain().await.expect_terminated();
    assert!(platform.azure.runs().is_empty());
}

#[tokio::test]
async fn an_upgrade_that_is_cancelled_between_two_phases_builds_nothing() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until(|run| run.phase == "building").await;
    upgrade.cancel().await;
    upgrade.drain().await.expect_terminated();
    assert!(platform.azure.runs().is_empty());
}

#[tokio::test]
async fn an_upgrade_that_is_cancelled_while_it_builds_stops_its_builds() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_all_builds_run().await;
    upgrade.cancel().await;
    let upgrade = upgrade.drain().await;
    upgrade.expect_terminated();
    assert_eq!(platform.azure.runs().iter().map(|build| build.status).collect::<Vec<_>>(), ["Canceled"; 3]);
    assert!(platform.pushed().is_empty());
    assert!(upgrade.log("build-api").contains("source code"), "what was said before stays");
    assert_eq!(upgrade.run.cancel.map(|cancel| cancel.reason).as_deref(), Some("a change of mind"));
}

#[tokio::test]
async fn an_upgrade_that_is_cancelled_in_the_middle_of_a_delivery_stops_its_builds() {
    for stop in [Stop::Scheduled, Stop::Looking] {
        let gate = Gate::new();
        let held = gate.clone();
        let images = Box::new(move |inner| Arc::new(GatedImages { inner, stop, gate: held }) as _);
        let platform = Platform::of(Plan { images, ..Plan::default() }).await;
        let mut upgrade = platform.start("1.2.3").await;
        upgrade.until(|run| run.phase == "building").await;
        let id = upgrade.id.clone();
        let operator = async {
            gate.arrivals(3).await;
            platform.engine.cancel(&id, "tester", "a change of mind").await.expect("the run can be told");
            gate.open();
        };
        tokio::join!(upgrade.deliver(), operator);
        upgrade.drain().await.expect_terminated();
        assert_eq!(platform.azure.runs().len(), 3);
        assert!(none_is_live(&platform), "{:?}", platform.azure.runs());
    }
}

#[tokio::test]
async fn a_registry_that_does_not_take_the_cancellation_at_once_is_asked_again() {
    for effect in [
        RequestEffect::Drop,
        RequestEffect::LoseReply,
        RequestEffect::Throttle { retry_after_s: 1 },
        RequestEffect::Fail { status: 500, html: false, retry_after_s: None },
    ] {
        let platform = Platform::open().await;
        let mut upgrade = platform.start("1.2.3").await;
        upgrade.until_all_builds_run().await;
        platform.arm("POST", "/cancel", effect.clone());
        upgrade.cancel().await;
        upgrade.drain().await.expect_terminated();
        assert!(
            platform.azure.faults().is_empty() && none_is_live(&platform),
            "{effect:?}: {:?}",
            platform.azure.runs()
        );
    }
}

#[tokio::test]
async fn a_registry_that_takes_no_cancellation_does_not_keep_the_platform_locked() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_all_builds_run().await;
    for _ in 0..3 {
        platform.arm("POST", "/cancel", RequestEffect::Fail { status: 403, html: false, retry_after_s: None });
    }
    upgrade.cancel().await;
    // The builds come to their own end.
    while platform.deliver().await.is_some() {}
    platform.skip(std::time::Duration::from_secs(600));
    upgrade.drain().await.expect_terminated();
}

#[tokio::test]
async fn an_upgrade_that_has_ended_cannot_be_cancelled() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await;
    let id = upgrade.id.clone();
    upgrade.drain().await.expect_succeeded();
    assert!(platform.engine.cancel(&id, "tester", "too late").await.is_err());
}
