//! A repository as far as packaging is concerned, and the command that is run in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What no host would mind before it starts it.
pub const PROGRAM: &str = "#!/bin/sh\nexit 7\n";

/// host.json and functions/ as they are, and a handler that was built without its run bit.
pub struct Repository {
    pub folder: tempfile::TempDir,
}

impl Repository {
    pub fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let from = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(from.join("host.json"), repository.path("host.json")).unwrap();
        for name in functions(&from.join("functions")) {
            let file = Path::new("functions").join(name).join("function.json");
            std::fs::create_dir_all(repository.folder.path().join(&file).parent().unwrap()).unwrap();
            std::fs::copy(from.join(&file), repository.folder.path().join(&file)).unwrap();
        }
        std::fs::write(repository.path("local.settings.json"), r#"{"Values":{"SECRET":"mine alone"}}"#).unwrap();
        std::fs::write(repository.path("built"), PROGRAM).unwrap();
        repository
    }

    /// With a handler that would run on the platform.
    pub fn with_handler(handler: &[u8]) -> Self {
        let repository = Self::new();
        std::fs::write(repository.path("built"), handler).unwrap();
        repository
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-dev"));
        command.current_dir(self.folder.path()).arg("package").args(arguments);
        command
    }

    pub fn package(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn staged(&self) -> PathBuf {
        let output = self.package(&["--handler", "built"]);
        assert!(output.status.success(), "{}", said(&output));
        self.path("dist")
    }

    /// The bytes of the zip.
    pub fn zipped(&self) -> Vec<u8> {
        let output = self.package(&["--zip", "--handler", "built"]);
        assert!(output.status.success(), "{}", said(&output));
        std::fs::read(self.path("windlass.zip")).unwrap()
    }
}

pub fn functions(folder: &Path) -> BTreeSet<String> {
    names(folder).into_iter().filter(|name| folder.join(name).join("function.json").is_file()).collect()
}

pub fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below with what it holds.
pub fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push((path.clone(), std::fs::read(path).unwrap())),
            }
        }
    }
    files.sort();
    files
}
