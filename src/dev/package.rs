//! Staging: the repository's layout into the one that a Functions host reads.
//!
//! ```text
//! dist/host.json   dist/windlass (0755)   dist/<function>/function.json   dist/local.settings.json (local only)
//! ```

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::json;

/// Makes `dist` anew from the host.json and functions/ below `root` and the handler's program.
pub fn stage(root: &Path, handler: &Path, dist: &Path) -> anyhow::Result<()> {
    let host: serde_json::Value = serde_json::from_slice(&read(&root.join("host.json"))?).context("host.json")?;
    let named = host["customHandler"]["description"]["defaultExecutablePath"].as_str().unwrap_or_default();
    if named.is_empty() || Path::new(named).components().count() != 1 {
        bail!("host.json: customHandler.description.defaultExecutablePath must be the handler's bare file name");
    }
    if dist.exists() {
        if !dist.join("host.json").is_file() {
            bail!("{} is no staged folder; name another one or remove it", dist.display());
        }
        std::fs::remove_dir_all(dist).with_context(|| format!("{} cannot be removed", dist.display()))?;
    }
    std::fs::create_dir_all(dist).with_context(|| format!("{} cannot be made", dist.display()))?;
    std::fs::copy(root.join("host.json"), dist.join("host.json")).context("host.json")?;
    std::fs::copy(handler, dist.join(named)).with_context(|| handler.display().to_string())?;
    make_executable(&dist.join(named))?;
    let functions = root.join("functions");
    let mut staged = 0;
    for entry in std::fs::read_dir(&functions).with_context(|| functions.display().to_string())? {
        let from = entry?.path().join("function.json");
        let Some(name) = from.parent().and_then(Path::file_name).filter(|_| from.is_file()) else { continue };
        let to = dist.join(name);
        std::fs::create_dir(&to).with_context(|| to.display().to_string())?;
        std::fs::copy(&from, to.join("function.json")).with_context(|| from.display().to_string())?;
        staged += 1;
    }
    if staged == 0 {
        bail!("there is no function below {}; run `windlass-dev functions --write`", functions.display());
    }
    Ok(())
}

/// What `func start` makes environment variables of. Never part of a package for Azure.
pub fn write_local_settings(dist: &Path, values: &[(String, String)]) -> anyhow::Result<()> {
    let values: serde_json::Map<_, _> = values
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .chain([("FUNCTIONS_WORKER_RUNTIME".to_owned(), json!("custom"))])
        .collect();
    let text = serde_json::to_string_pretty(&json!({"IsEncrypted": false, "Values": values}))?;
    std::fs::write(dist.join("local.settings.json"), text).context("local.settings.json")
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).with_context(|| path.display().to_string())
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}
