//! The production binary: this command's neighbour, built by cargo where cargo runs us.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::UpOptions;

pub const NAME: &str = if cfg!(windows) { "windlass.exe" } else { "windlass" };

pub fn find(options: &UpOptions) -> anyhow::Result<PathBuf> {
    if let Some(handler) = &options.handler {
        return Ok(handler.clone());
    }
    let own = std::env::current_exe().context("this program does not know where it is")?;
    let beside = own.with_file_name(NAME);
    if let Ok(cargo) = std::env::var("CARGO") {
        build(&cargo, &options.root, &own)?;
    }
    if !beside.is_file() {
        bail!("there is no handler at {}; build it with `cargo build`, or name it with --handler", beside.display());
    }
    Ok(beside)
}

/// Builds without the feature `dev`, so that what runs here is what is shipped.
fn build(cargo: &str, root: &Path, own: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--quiet", "--package", "windlass", "--bin", "windlass"]);
    let release = own.parent().is_some_and(|folder| folder.ends_with("release"));
    if release {
        command.arg("--release");
    }
    if let Some(target) = own.parent().and_then(Path::parent) {
        command.arg("--target-dir").arg(target);
    }
    println!("building the handler …");
    let status = command.status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("the handler does not build; see above");
    }
    Ok(())
}
