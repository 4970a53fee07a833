//! The directory that sources are fetched to.

use std::path::PathBuf;

use crate::gate::{Gate, GatedSource, files_below};
use crate::platform::{Plan, Platform};

fn gated(gate: &std::sync::Arc<Gate>) -> Plan {
    let gate = gate.clone();
    Plan { source: Box::new(move |inner| std::sync::Arc::new(GatedSource { inner, gate })), ..Plan::default() }
}

#[tokio::test]
async fn a_workspace_is_the_runs_own_and_lives_as_long_as_its_fetch() {
    let gate = Gate::new();
    let platform = Platform::of(gated(&gate)).await;
    let mut upgrade = platform.start("1.2.3").await;
    let own: PathBuf = platform.workspaces().join(upgrade.id.to_string());
    let meanwhile = async {
        gate.arrivals(1).await;
        let files = files_below(&platform.workspaces());
        gate.open();
        files
    };
    let (_, files) = tokio::join!(upgrade.deliver(), meanwhile);
    assert!(files.len() > 2 && files.iter().all(|file| file.starts_with(&own)), "{files:?}");
    assert!(!own.exists(), "the sources go as soon as they are uploaded");
    upgrade.drain().await.expect_succeeded();
}

#[tokio::test]
async fn a_workspace_goes_with_a_fetch_that_fails() {
    let gate = Gate::new();
    let mut plan = gated(&gate);
    plan.has_registry = false;
    let platform = Platform::of(plan).await;
    let mut upgrade = platform.start("1.2.3").await;
    let meanwhile = async {
        gate.arrivals(1).await;
        let files = files_below(&platform.workspaces());
        gate.open();
        files
    };
    let (_, files) = tokio::join!(upgrade.deliver(), meanwhile);
    assert!(!files.is_empty());
    upgrade.drain().await.expect_failed("registry_unset");
}

#[tokio::test]
async fn what_a_dead_worker_left_is_replaced_by_the_next_one() {
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await;
    let own = platform.workspaces().join(upgrade.id.to_string());
    std::fs::create_dir_all(own.join("repo/objects")).expect("a directory");
    std::fs::write(own.join("context-0.tar.gz"), "half an archive").expect("a file");
    upgrade.drain().await.expect_succeeded().expect_whole_logs(&platform).await;
}

#[tokio::test]
async fn what_runs_of_old_left_is_removed_by_the_next_one() {
    let platform = Platform::open().await;
    let left = platform.workspaces().join("0123456789-0123456789abcdef0123");
    let fresh = platform.workspaces().join("0123456789-fedcba98765432100123");
    for directory in [&left, &fresh] {
        std::fs::create_dir_all(directory).expect("a directory");
    }
    std::fs::write(left.join("secret-source.tar.gz"), "sources").expect("a file");
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_secs(24 * 3600);
    std::fs::File::open(&left).and_then(|file| file.set_modified(yesterday)).expect("a directory's time can be set");
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.deliver().await;
    assert!(!left.exists(), "nobody can be working there any more");
    assert!(fresh.exists(), "somebody may be working there");
    std::fs::remove_dir(fresh).expect("an empty directory");
    upgrade.drain().await.expect_succeeded();
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_told_from_a_remote_that_cannot() {
    let platform = Platform::open().await;
    std::fs::write(platform.workspaces(), "a file in its place").expect("a file");
    let mut upgrade = platform.start("1.2.3").await;
    upgrade.deliver().await;
    let retrying = upgrade.history().await.pop().expect("an event");
    assert_eq!(retrying.detail["cause"]["code"], "workspace_unusable");
    std::fs::remove_file(platform.workspaces()).expect("a file");
    upgrade.drain().await.expect_succeeded();
}
