//! What retention does to the app.

use serde_json::json;
use windlass::model::Verdict;

use crate::platform::Platform;
use crate::pruning::expect;
use crate::registry::SERVER;

async fn platform(mode: &'static str) -> Platform {
    let platform = Platform::open(&[]).await;
    platform.app.runs(&[&format!("{SERVER}/elb-api:v1.2.3")]);
    *platform.app.mode.lock().unwrap() = mode;
    *platform.app.traffic.lock().unwrap() = json!([
        {"revisionName": "app--2", "weight": 100}, {"revisionName": "app--3", "weight": 0, "label": "preview"},
    ]);
    for index in 1..=6 {
        let weight = if index == 2 { 100 } else { 0 };
        platform.app.revise(&format!("app--{index}"), &format!("2026-11-0{index}T00:00:00Z"), true, weight);
    }
    platform
}

#[tokio::test]
async fn revisions_that_nothing_leads_to_are_stopped_and_the_app_keeps_as_many_as_are_wanted() {
    let platform = platform("Multiple").await;
    *platform.app.most_inactive.lock().unwrap() = Some(100);
    let run = platform.prune().await;
    let output = expect(&run, Verdict::Succeeded);
    assert_eq!(output["revisions"], json!({"deactivated": ["app--1", "app--4"], "error": null}));
    assert_eq!(*platform.app.deactivated.lock().unwrap(), ["app--4", "app--1"]);
    let change = json!({"location": "here", "properties": {"configuration": {"maxInactiveRevisions": 2}}});
    assert_eq!(*platform.app.changes.lock().unwrap(), [change], "once, and nothing but the configuration");
    let log = platform.log(&run).await;
    assert!(
        log.contains("revision app--4 is stopped") && log.contains("keep 2 inactive revisions in place of 100"),
        "{log}"
    );

    platform.clock.skip(std::time::Duration::from_secs(24 * 3600));
    platform.prune().await;
    assert_eq!((platform.app.changes.lock().unwrap().len(), platform.app.deactivated.lock().unwrap().len()), (1, 2));
}

#[tokio::test]
async fn an_app_in_single_revision_mode_is_told_how_many_to_keep_and_no_more() {
    let platform = platform("Single").await;
    let run = platform.prune().await;
    expect(&run, Verdict::Succeeded);
    assert!(platform.app.deactivated.lock().unwrap().is_empty());
    assert_eq!(platform.app.changes.lock().unwrap().len(), 1);
}
