//! A real Functions host in place of the local one: it gets a staged folder with its settings in it.

use std::path::Path;

use anyhow::{Context, bail};
use tokio::process::Command;

use super::UpOptions;
use super::settings::Settings;
use crate::dev::package;

pub async fn run(options: &UpOptions, program: &Path, handler: &Path, settings: &Settings) -> anyhow::Result<()> {
    if options.storage == "embedded" {
        bail!(
            "a real Functions host listens to queues of a storage account: add --storage UseDevelopmentStorage=true and \
             start Azurite, or give a connection string"
        );
    }
    let dist = options.data.join("dist");
    package::stage(&options.root, handler, &dist)?;
    package::write_local_settings(&dist, &settings.pairs())?;
    let status = Command::new(program)
        .arg("start")
        .arg("--script-root")
        .arg(&dist)
        .arg("--port")
        .arg(options.port.to_string())
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("{} cannot be run", program.display()))?;
    if !status.success() {
        bail!("{} ended with {status}", program.display());
    }
    Ok(())
}
