//! Drives the released binaries through their real surfaces and prints what came of it as a table.
//!
//! `tests/bench` builds what is needed and runs this. Figures depend on the machine; the ratios are taken within one run.

mod client;
mod floor;
mod local;
mod measure;

use std::path::Path;

use anyhow::Context;

use local::Local;

/// Measures the program `handler` under this program's own local host; with a connection string, on that account too.
pub async fn bench(handler: &Path, account: Option<&str>) -> anyhow::Result<()> {
    let mut rows = measure::binary(handler).await?;
    let local = Local::start(handler, "embedded").await?;
    measure::runs(&local, 50).await?;
    let throughput = measure::throughput(&local, 500).await?;
    rows.push(("embedded: 500 runs at concurrency 32".to_owned(), throughput, ">= 600 runs/s"));
    let latency = measure::latency(&local, 100).await?;
    rows.push(("embedded: one run on an idle system".to_owned(), latency, "p50 < 11 ms"));
    let reads = measure::reads(&local, 40_000).await?;
    rows.push(("embedded: status reads at concurrency 32".to_owned(), reads, ">= 8,000/s, p99 < 20 ms"));
    local.stop().await?;
    match account {
        Some(account) => rows.extend(on_account(handler, account).await?),
        None => println!("no storage account is named: its figures are left out"),
    }
    println!("\n| what | measured | aim |\n|---|---|---|");
    for (what, measured, aim) in rows {
        println!("| {what} | {measured} | {aim} |");
    }
    Ok(())
}

/// What was measured, the figure, the aim.
type Row = (String, String, &'static str);

async fn on_account(handler: &Path, account: &str) -> anyhow::Result<Vec<Row>> {
    const RUNS: usize = 1_000;
    let floor = floor::runs_per_second(account, RUNS).await.context("the floor")?;
    let local = Local::start(handler, account).await?;
    measure::runs(&local, 10).await?;
    let ours = measure::runs(&local, RUNS).await?;
    local.stop().await?;
    Ok(vec![
        (format!("storage account: {RUNS} runs at concurrency 32"), format!("{ours:.1} runs/s"), ""),
        ("storage account: the same calls without us".to_owned(), format!("{floor:.1} runs/s"), ""),
        ("storage account: ratio of the two".to_owned(), format!("{:.2}", ours / floor), ">= 0.90"),
    ])
}
