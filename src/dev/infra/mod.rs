//! The infrastructure below `infra/`, held against the code.
//!
//! There is no Bicep compiler here. What can be known without one is: every file is Bicep by its grammar; modules are given
//! what they declare and asked for what they put out; nothing is declared in vain; and what the files come to (queues,
//! tables, containers, settings, disabled functions, roles) is what the code needs. The lists are evaluated, not searched
//! for, so a filter that loses an entry is a difference like a list that lacks one.

mod alerts;
mod azd;
mod bicep;
mod deployments;
mod document;
mod evaluate;
mod hardening;
mod names;
pub mod registry;
mod report;
mod roles;
mod settings;
mod stores;
mod wiring;

use std::path::{Path, PathBuf};

use bicep::File;
use registry::Registry;

use crate::pipelines::SPECS;

const FOLDER: &str = "infra";
const MAIN: &str = "infra/main.bicep";
const FUNCTION: &str = "infra/app/function.bicep";
const STORAGE: &str = "infra/app/storage.bicep";
const RBAC: &str = "infra/app/rbac.bicep";

/// All of it, parsed.
struct Infrastructure {
    root: PathBuf,
    registry: Registry,
    /// In the order of their paths.
    files: Vec<File>,
    /// What is given to `main.bicep`.
    parameters: Vec<File>,
}

/// Holds the files below `root` against the code.
///
/// # Errors
/// Everything that is wrong, each in a sentence.
pub fn check(root: &Path) -> Result<String, Vec<String>> {
    let infrastructure = Infrastructure::read(root)?;
    let mut faults = Vec::new();
    faults.extend(wiring::faults(&infrastructure));
    faults.extend(names::faults(&infrastructure));
    faults.extend(hardening::faults(&infrastructure));
    faults.extend(alerts::faults(&infrastructure));
    faults.extend(azd::faults(&infrastructure));
    faults.extend(roles::faults(&infrastructure));
    faults.extend(stores::faults(&infrastructure));
    faults.extend(settings::faults(&infrastructure));
    faults.extend(document::faults(&infrastructure));
    if faults.is_empty() { Ok(report::report(&infrastructure)) } else { Err(faults) }
}

/// Writes what is generated from the files: the table of parameters in their README.
pub fn write(root: &Path) -> anyhow::Result<()> {
    let infrastructure = Infrastructure::read(root).map_err(|faults| anyhow::anyhow!(faults.join("\n")))?;
    document::write(&infrastructure)
}

impl Infrastructure {
    fn read(root: &Path) -> Result<Self, Vec<String>> {
        let (mut files, mut parameters, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        let paths = below(root).map_err(|error| vec![format!("{FOLDER} cannot be read: {error}")])?;
        for path in paths {
            let parsed = std::fs::read_to_string(root.join(&path)).map_err(|error| vec![format!("{path}: {error}")]);
            match parsed.and_then(|text| File::parse(&path, &text)) {
                Ok(file) if path.ends_with(".bicep") => files.push(file),
                Ok(file) => parameters.push(file),
                Err(found) => faults.extend(found),
            }
        }
        let registry = Registry::of(SPECS);
        for needed in [MAIN, FUNCTION, STORAGE, RBAC] {
            if !files.iter().any(|file| file.path == needed) && faults.is_empty() {
                faults.push(format!("{needed} is missing"));
            }
        }
        let generated = std::fs::read_to_string(root.join(registry::FILE)).unwrap_or_default();
        if generated != registry.text() {
            faults.push(format!("{} is not what the code says; run `windlass-dev functions --write`", registry::FILE));
        }
        if faults.is_empty() { Ok(Self { root: root.to_owned(), registry, files, parameters }) } else { Err(faults) }
    }

    fn file(&self, path: &str) -> &File {
        self.files.iter().find(|file| file.path == path).expect("reading has seen to it that it is there")
    }

    /// The file that a module's path leads to.
    fn module(&self, from: &File, path: &str) -> Option<&File> {
        let folder = from.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.files.iter().find(|file| file.path == format!("{folder}/{path}"))
    }
}

/// The Bicep files, relative to the root.
fn below(root: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![FOLDER.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.ends_with(".bicep") || path.ends_with(".bicepparam") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
