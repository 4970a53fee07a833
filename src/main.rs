//! The custom handler: reads the environment, listens where the Functions host told it to, and serves until it dies.

#![warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

use std::process::ExitCode;

use anyhow::Context;
use windlass::app::{App, orphan, telemetry};
use windlass::config::{Config, ProcessEnvironment};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The host shows a line on stderr as an error. Exit code 0 would mean to it that nothing is wrong.
            #[expect(clippy::print_stderr, reason = "there may be no log yet")]
            {
                eprintln!("windlass cannot run: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let config = Config::load(&ProcessEnvironment)?;
    telemetry::begin(&config.telemetry)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        orphan::watch();
        App::compose(&config)?.serve().await
    })
}
