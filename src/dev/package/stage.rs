//! Staging: a package as a folder, for a host on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use super::layout::{FUNCTION, HOST, LOCAL_SETTINGS, Layout, shown};

/// Makes `dist` anew from the host.json and functions/ below `root` and the handler's program. What is there already is
/// replaced only if it was staged, too.
pub fn stage(root: &Path, handler: &Path, dist: &Path) -> anyhow::Result<()> {
    let layout = Layout::read(root)?;
    if !handler.is_file() {
        bail!(
            "there is no handler at {}; build it with `cargo build --release`, or name one with --handler",
            handler.display()
        );
    }
    clear(dist, &layout.handler)?;
    std::fs::create_dir_all(dist).with_context(|| format!("{} cannot be made", dist.display()))?;
    std::fs::copy(&layout.host, dist.join(HOST)).context(HOST)?;
    std::fs::copy(handler, dist.join(&layout.handler)).with_context(|| shown(handler))?;
    make_executable(&dist.join(&layout.handler))?;
    for (name, from) in layout.functions {
        let to = dist.join(name);
        std::fs::create_dir(&to).with_context(|| shown(&to))?;
        std::fs::copy(&from, to.join(FUNCTION)).with_context(|| shown(&from))?;
    }
    Ok(())
}

/// Removes what an earlier call has staged. Whatever holds anything else, or no host.json, is somebody's own.
fn clear(dist: &Path, handler: &str) -> anyhow::Result<()> {
    if !dist.exists() {
        return Ok(());
    }
    let paths: Vec<PathBuf> = std::fs::read_dir(dist)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .with_context(|| shown(dist))?;
    let ours = |path: &Path| {
        let named = |name: &&str| path.file_name() == Some(OsStr::new(name));
        [HOST, LOCAL_SETTINGS, handler].iter().any(named) && path.is_file() || is_staged_function(path)
    };
    let stranger = paths.iter().find(|path| !ours(path)).map(|path| shown(path));
    let fault = match stranger {
        Some(stranger) => format!("it holds {stranger}"),
        None if !paths.is_empty() && !dist.join(HOST).is_file() => format!("it holds no {HOST}"),
        None => return std::fs::remove_dir_all(dist).with_context(|| format!("{} cannot be removed", shown(dist))),
    };
    bail!("{} is no staged folder: {fault}; name another one, or remove it", shown(dist))
}

/// Whether this is a folder with nothing but a function.json.
fn is_staged_function(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.into_iter().all(|entry| entry.is_ok_and(|entry| entry.file_name() == FUNCTION && entry.path().is_file()))
}

/// What `func start` makes environment variables of. Never part of a package for Azure.
pub fn write_local_settings(dist: &Path, values: &[(String, String)]) -> anyhow::Result<()> {
    let values: serde_json::Map<_, _> = values
        .iter()
        // An empty setting is an unset one.
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.clone(), json!(value)))
        .chain([("FUNCTIONS_WORKER_RUNTIME".to_owned(), json!("custom"))])
        .collect();
    let text = serde_json::to_string_pretty(&json!({"IsEncrypted": false, "Values": values}))?;
    std::fs::write(dist.join(LOCAL_SETTINGS), text).context(LOCAL_SETTINGS)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).with_context(|| shown(path))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}
