//! Drives the released binaries through their real surfaces and prints what came of it as a table.
//!
//! `tests/bench` builds what is needed and runs this. Figures depend on the machine; the ratios are taken within one run.

mod client;
mod floor;
mod local;
mod measure;

use std::path::PathBuf;

use local::Local;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(bench());
}

async fn bench() {
    let release = release_folder();
    let mut rows = Vec::new();
    rows.extend(measure::binary(&release.join("windlass")).await);

    let local = Local::start(&release, "embedded").await;
    measure::runs(&local, 50).await;
    rows.push((
        "embedded: 500 runs at concurrency 32".to_owned(),
        measure::throughput(&local, 500).await,
        ">= 600 runs/s",
    ));
    rows.push(("embedded: one run on an idle system".to_owned(), measure::latency(&local, 100).await, "p50 < 11 ms"));
    rows.push((
        "embedded: status reads at concurrency 32".to_owned(),
        measure::reads(&local, 40_000).await,
        ">= 8,000/s, p99 < 20 ms",
    ));
    local.stop().await;

    match std::env::var("WINDLASS_AZURITE") {
        Ok(connection) => rows.extend(on_azurite(&release, &connection).await),
        Err(_) => println!("WINDLASS_AZURITE names no connection string: the figures on Azurite are left out"),
    }

    println!("\n| what | measured | aim |\n|---|---|---|");
    for (what, measured, aim) in rows {
        println!("| {what} | {measured} | {aim} |");
    }
}

async fn on_azurite(release: &std::path::Path, connection: &str) -> Vec<(String, String, &'static str)> {
    const RUNS: usize = 100;
    let floor = floor::runs_per_second(connection, RUNS).await;
    let local = Local::start(release, connection).await;
    measure::runs(&local, 10).await;
    let ours = measure::runs(&local, RUNS).await;
    local.stop().await;
    vec![
        (format!("Azurite: {RUNS} runs at concurrency 32"), format!("{ours:.1} runs/s"), ""),
        ("Azurite: the same storage calls without us".to_owned(), format!("{floor:.1} runs/s"), ""),
        ("Azurite: ratio of the two".to_owned(), format!("{:.2}", ours / floor), ">= 0.90"),
    ]
}

/// Where cargo put the release binaries: two folders above this program.
fn release_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    let folder = own.ancestors().nth(2).expect("target/<profile>/deps").to_owned();
    assert!(folder.join("windlass").is_file(), "build the release binaries first: tests/bench does");
    folder
}
