//! All sources of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::source::Source;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everything below `src/`, read once.
pub fn production() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let files = rust_files("src");
        let for_tests = for_tests_alone(&files);
        files.iter().map(|(file, text)| Source::parse(file, text, for_tests.contains(file))).collect()
    })
}

/// Everything below `tests/`, read once.
pub fn tests() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| rust_files("tests").iter().map(|(file, text)| Source::parse(file, text, true)).collect())
}

/// Fails with everything that was found at once.
pub fn hold(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Files of modules that are declared with `#[cfg(test)]`.
fn for_tests_alone(files: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (file, text) in files {
        let source = Source::parse(file, text, false);
        let beside = Path::new(file).parent().unwrap_or(Path::new(""));
        let below = PathBuf::from("src").join(source.module.join("/"));
        for child in source.children.iter().filter(|child| child.in_tests) {
            let path = match &child.file {
                Some(named) => beside.join(named),
                None => below.join(format!("{}.rs", child.name)),
            };
            found.insert(path.display().to_string());
        }
    }
    found
}

fn rust_files(below: &str) -> Vec<(String, String)> {
    let mut folders = vec![root().join(below)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                let inside = path.strip_prefix(root()).expect("it lies below the root");
                found.push((inside.display().to_string().replace('\\', "/"), text));
            }
        }
    }
    found.sort();
    found
}
