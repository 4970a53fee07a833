//! Upgrades that would never end by themselves.

use std::time::Duration;

use windlass::dev::azure::{BuildEffect, RequestEffect};
use windlass::engine::ports::Clock;
use windlass::model::EventKind;

use crate::git_server::Manner;
use crate::platform::{Plan, Platform};

#[tokio::test]
async fn a_build_that_never_gets_an_agent_ends_with_its_phase() {
    let platform = Platform::open().await;
    platform.arm_build("api", BuildEffect::StuckQueued);
    let upgrade = platform.start("1.2.3").await.drain().await;
    let failure = upgrade.expect_failed("phase_overdue");
    assert!(failure.message.contains("building"), "{failure}");
    let taken = upgrade.run.updated_at.since(upgrade.run.created_at);
    assert!((30 * 60..32 * 60).contains(&taken.as_secs()), "{taken:?}");
    let statuses: Vec<_> =
        platform.azure.runs().into_iter().map(|build| (build.images[0].clone(), build.status)).collect();
    let expected = [("api", "Canceled"), ("frontend", "Succeeded"), ("terminal", "Succeeded")];
    assert!(
        expected.iter().all(|(name, status)| statuses.contains(&(format!("elb-{name}:v1.2.3"), status))),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn looks_become_rarer_as_a_build_ages() {
    let platform = Platform::open().await;
    platform.arm_build("api", BuildEffect::StuckQueued);
    let upgrade = platform.start("1.2.3").await.drain().await;
    let waits: Vec<_> =
        upgrade.history.iter().filter(|event| event.kind == EventKind::Waiting).map(|event| event.at).collect();
    let pauses: Vec<u64> = waits.windows(2).map(|two| two[1].since(two[0]).as_secs()).collect();
    assert!(pauses.len() < 40, "{} looks in half an hour", pauses.len());
    assert!(pauses.first() < pauses.last(), "{pauses:?}");
}

#[tokio::test]
async fn a_remote_that_does_not_answer_is_given_up_with_its_phase() {
    let platform = Platform::of(Plan { manner: Manner::Silent, ..Plan::default() }).await;
    let upgrade = platform.start("1.2.3").await;
    // Its first worker began in time and died over it.
    let ticket = upgrade.run().await.ticket();
    let begun = tokio::time::timeout(Duration::from_millis(200), platform.engine.deliver("upgrade-fetching", &ticket));
    assert!(begun.await.is_err());
    // All but the last of the phase's ten minutes are gone, and of that one the upload keeps the most.
    platform.skip(Duration::from_millis(600_000 - 60_300));
    let upgrade = upgrade.drain().await;
    upgrade.expect_failed("phase_overdue");
    assert!(upgrade.retried().contains(&"git_timed_out"), "{:?}", upgrade.retried());
    assert!(platform.azure.requests().is_empty());
}

#[tokio::test]
async fn an_upgrade_that_nobody_began_for_five_minutes_ends_and_says_so() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await;
    platform.skip(Duration::from_secs(301));
    let upgrade = upgrade.drain().await;
    assert!(upgrade.expect_failed("queue_overdue").message.contains("function app"));
    assert!(platform.git.seen().is_empty() && platform.azure.requests().is_empty());
}

#[tokio::test]
async fn a_pause_that_the_registry_asks_for_is_kept() {
    for path in ["/listBuildSourceUploadUrl", "/scheduleRun"] {
        let platform = Platform::open().await;
        platform.arm("POST", path, RequestEffect::Throttle { retry_after_s: 47 });
        let upgrade = platform.start("1.2.3").await.drain().await;
        upgrade.expect_succeeded().expect_whole_logs(&platform).await;
        assert_eq!(upgrade.retried(), ["azure_throttled"]);
        let retrying = upgrade.history.iter().find(|event| event.kind == EventKind::Retrying).expect("a retry");
        let until =
            windlass::model::Timestamp::parse(retrying.detail["until"].as_str().expect("a time")).expect("a time");
        let pause = until.since(retrying.at);
        assert!((46..=48).contains(&pause.as_secs()), "{pause:?}");
        assert!(platform.clock.now() > until);
    }
}
