//! What the version before this one has left behind: it is read, it holds, and it goes on from where it was.

#[path = "../support/azurite.rs"]
mod azurite;
#[path = "../support/git_server.rs"]
mod git_server;
#[path = "../support/local.rs"]
mod local;
mod make;
#[path = "../support/shelf.rs"]
mod shelf;
#[path = "../support/mod.rs"]
mod support;

mod continued;
mod kept;

use std::path::{Path, PathBuf};

use shelf::Shelf;

/// What a version has left, each under its name.
pub fn fixtures() -> Vec<(String, Shelf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("fixtures").flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    let name = |file: &Path| file.file_stem().expect("a name").to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), Shelf::read(file))).collect()
}

pub fn fixture(name: &str) -> Shelf {
    fixtures().into_iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no fixture {name}")).1
}

/// Not a test of its own: makes the fixtures anew if `FIXTURES_FROM` names a working tree of the version that is
/// to leave them, with its programs in `target/debug`; see `tests/fixtures/v1/README.md`.
#[tokio::test(flavor = "multi_thread")]
async fn make_fixtures() {
    let Some(tree) = std::env::var_os("FIXTURES_FROM") else { return };
    let into = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    make::Maker::of(Path::new(&tree)).await.make(&into).await;
}
