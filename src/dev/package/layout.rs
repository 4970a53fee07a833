//! What a package is made of, as it lies in the repository.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

pub const HOST: &str = "host.json";
pub const FUNCTION: &str = "function.json";
pub const LOCAL_SETTINGS: &str = "local.settings.json";

pub struct Layout {
    pub host: PathBuf,
    /// What host.json calls the handler.
    pub handler: String,
    /// Every function's name and file, in the order of their names.
    pub functions: Vec<(String, PathBuf)>,
}

impl Layout {
    /// Looks at host.json and functions/ below `root`.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let host = root.join(HOST);
        let json: serde_json::Value = serde_json::from_slice(&read(&host)?).context(HOST)?;
        let Some(handler) = handler_named_by(&json) else {
            bail!("host.json: customHandler.description.defaultExecutablePath must be the handler's bare file name");
        };
        Ok(Self { host, handler, functions: functions(&root.join("functions"))? })
    }
}

/// The handler's file, which a host looks for right beside host.json.
pub fn handler_named_by(host: &serde_json::Value) -> Option<String> {
    let named = host["customHandler"]["description"]["defaultExecutablePath"].as_str()?;
    let bare = !named.contains(['/', '\\']) && Path::new(named).file_name() == Some(OsStr::new(named));
    bare.then(|| named.to_owned())
}

fn functions(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| shown(folder))? {
        let entry = entry.with_context(|| shown(folder))?;
        let file = entry.path().join(FUNCTION);
        if file.is_file() {
            let Ok(name) = entry.file_name().into_string() else {
                bail!("{} is no name of a function; rename the folder", shown(&entry.path()));
            };
            found.push((name, file));
        }
    }
    if found.is_empty() {
        bail!("there is no function below {}; run `windlass-dev functions --write`", folder.display());
    }
    // A folder is listed in whatever order its file system likes.
    found.sort();
    Ok(found)
}

pub fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| shown(path))
}

pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
