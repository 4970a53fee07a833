//! Logs on bad days: I6 and S2.18.

use std::time::Duration;

use windlass::dev::azure::{BuildEffect, RequestEffect};

use crate::platform::Platform;
use crate::upgrade::state;

#[tokio::test]
async fn a_log_whose_address_expires_is_read_on_from_a_new_one() {
    for (method, after) in [("HEAD", 0), ("HEAD", 7), ("GET", 0), ("GET", 4)] {
        let platform = Platform::open().await;
        platform.arm_after(after, method, "/rawtext.log", RequestEffect::ExpiredSignature);
        let upgrade = platform.start("1.2.3").await.drain().await;
        upgrade.expect_succeeded().expect_whole_logs(&platform).await;
        assert!(platform.azure.faults().is_empty(), "{method} {after}");
    }
}

#[tokio::test]
async fn an_address_that_expires_with_time_is_renewed() {
    let platform = Platform::open().await;
    platform.arm_build("api", BuildEffect::StuckQueued);
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_scheduled().await;
    // The registry's clock alone, so that no deadline of ours passes.
    platform.azure.skip(Duration::from_secs(3 * 3600));
    upgrade.deliver().await;
    let id = state(&upgrade.run().await).builds["api"].run_id.clone().expect("it is queued");
    let calls: Vec<_> = platform.azure.requests().into_iter().filter(|call| call.path.contains(&id)).collect();
    let statuses = |path: &str| -> Vec<u16> {
        calls.iter().filter(|call| call.path.ends_with(path)).filter_map(|call| call.status).collect()
    };
    // There is no log before there is an agent.
    assert_eq!((statuses("/listLogSasUrl"), statuses("/rawtext.log")), (vec![200, 200], vec![404, 403, 404]));
    upgrade.cancel().await;
    upgrade.drain().await.expect_terminated();
}

#[tokio::test]
async fn a_log_that_lags_behind_its_build_is_waited_for() {
    let platform = Platform::open().await;
    platform.arm_build("api", BuildEffect::LogLag { beats: 6 });
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
}

#[tokio::test]
async fn a_log_that_never_ends_holds_nobody_up() {
    let platform = Platform::open().await;
    platform.arm_build("api", BuildEffect::LogLag { beats: 10_000 });
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded();
    assert!(upgrade.log("build-api").ends_with("(the rest of this log did not arrive)\n"));
}

#[tokio::test]
async fn much_output_arrives_whole_however_much_of_it_comes_last() {
    let platform = Platform::open().await;
    let line = |number: usize| format!("{number:06} {}", "output ".repeat(20));
    let lines: Vec<String> = (0..40_000).map(line).collect();
    platform.arm_build("api", BuildEffect::FailStep { step: 2, lines });
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_failed("build_failed");
    let output = platform.output(upgrade.state.builds["api"].run_id.as_deref().expect("it was built")).await;
    assert!(output.len() > 5_000_000);
    assert_eq!(upgrade.log("build-api").len(), output.replace("\r\n", "\n").len());
    assert!(upgrade.log("build-api") == output.replace("\r\n", "\n"));
}

#[tokio::test]
async fn a_line_without_an_end_is_no_reason_to_wait_for_ever() {
    let platform = Platform::open().await;
    let endless = "zwölf ".repeat(100_000);
    platform.arm_build("api", BuildEffect::FailStep { step: 2, lines: vec![endless.clone()] });
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_failed("build_failed");
    let log = upgrade.log("build-api").replace('\n', "");
    assert!(log.contains(&endless), "cut in pieces, but nothing in it is lost");
}

#[tokio::test]
async fn a_log_store_that_is_out_of_order_for_a_while_loses_no_line() {
    let platform = Platform::open().await;
    for skipped in 0..8 {
        platform.azure.reset();
        let mut upgrade = platform.start("1.2.3").await;
        for _ in 0..skipped {
            upgrade.deliver().await;
        }
        if upgrade.run().await.is_ended() {
            break;
        }
        // The engine tries more than once; a pause later the logs are well again.
        platform.logs.refuse(2);
        let upgrade = upgrade.drain().await;
        upgrade.expect_succeeded().expect_whole_logs(&platform).await;
        assert!(platform.logs.is_well());
    }
}

#[tokio::test]
async fn a_long_outage_of_the_log_store_is_waited_out() {
    let platform = Platform::open().await;
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_all_builds_run().await;
    platform.logs.refuse(8);
    let upgrade = upgrade.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
    assert!(upgrade.retried().contains(&"log_unavailable"), "{:?}", upgrade.retried());
    assert_eq!(platform.azure.runs().len(), 3, "no build was begun again");
}

#[tokio::test]
async fn a_write_that_was_not_answered_is_not_written_twice() {
    let platform = Platform::open().await;
    for skipped in 0..8 {
        platform.azure.reset();
        let mut upgrade = platform.start("1.2.3").await;
        for _ in 0..skipped {
            upgrade.deliver().await;
        }
        if upgrade.run().await.is_ended() {
            break;
        }
        platform.logs.leave_unanswered(2);
        let upgrade = upgrade.drain().await;
        upgrade.expect_succeeded().expect_whole_logs(&platform).await;
        assert!(platform.logs.is_well());
    }
}

#[tokio::test]
async fn the_last_lines_of_a_failed_build_survive_an_outage_of_the_log_store() {
    let platform = Platform::open().await;
    platform.arm_build("api", BuildEffect::FailStep { step: 2, lines: vec!["the cause".into()] });
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.until_scheduled().await;
    // Whatever the next look brings cannot be written, nor what the one after it brings.
    platform.skip(Duration::from_secs(120));
    platform.logs.refuse(6);
    let upgrade = upgrade.drain().await;
    upgrade.expect_failed("build_failed");
    assert!(platform.logs.is_well());
    let output = platform.output(upgrade.state.builds["api"].run_id.as_deref().expect("it was built")).await;
    assert_eq!(upgrade.log("build-api"), output.replace("\r\n", "\n"));
}

#[tokio::test]
async fn output_that_cannot_be_read_for_a_while_is_read_later() {
    let platform = Platform::open().await;
    for after in 0..5 {
        platform.arm_after(
            after,
            "HEAD",
            "/rawtext.log",
            RequestEffect::Fail { status: 500, html: false, retry_after_s: None },
        );
    }
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
    assert!(platform.azure.faults().is_empty());
    assert!(upgrade.retried().is_empty(), "trouble with a log alone holds up nothing");
    assert!(state(&upgrade.run).builds.values().all(|build| build.log_complete));
}
