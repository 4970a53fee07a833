//! A machine with just the tools that a test gives it: stand-ins that tell their version and remember what they were told.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::programs::static_program;
use crate::repository::Repository;

pub const GNU: &str = "x86_64-unknown-linux-gnu";
pub const MUSL: &str = "x86_64-unknown-linux-musl";

/// What SOURCE_DATE_EPOCH is in these tests.
pub const TIME: &str = "1700000000";

pub struct Machine {
    pub repository: Repository,
}

impl Machine {
    /// With nothing on it.
    pub fn bare() -> Self {
        let repository = Repository::new();
        for folder in ["tools", "sysroot"] {
            std::fs::create_dir(repository.path(folder)).unwrap();
        }
        Self { repository }
    }

    /// With Rust on it, and its standard library for these targets. Its cargo builds a handler that runs anywhere.
    pub fn with_rust(targets: &[&str]) -> Self {
        let machine = Self::bare();
        let place = machine.repository.folder.path().display().to_string();
        for target in targets {
            std::fs::create_dir_all(machine.repository.path("sysroot").join(target)).unwrap();
        }
        machine.tool(
            "rustc",
            &format!(
                "case \"$*\" in\n-vV) echo 'release: 1.95.0'; echo 'commit-hash: cafe' ;;\n\
                 '--print sysroot') echo {place}/sysroot ;;\n\
                 '--print target-libdir --target '*) echo {place}/sysroot/$4 ;;\nesac"
            ),
        );
        let metadata = serde_json::json!({
            "workspace_root": place,
            "target_directory": format!("{place}/target"),
            "packages": [
                {"source": "registry", "manifest_path": "/somewhere/sources/a-1.0.0/Cargo.toml"},
                {"source": null, "manifest_path": format!("{place}/Cargo.toml")},
            ],
        });
        std::fs::write(machine.repository.path("metadata"), metadata.to_string()).unwrap();
        machine.builds(&static_program());
        machine.tool(
            "cargo",
            &format!(
                "case $1 in\n--version) echo 'cargo 1.95.0' ;;\nmetadata) while read -r line || [ -n \"$line\" ]; do echo \"$line\"; done <metadata ;;\n\
                 build|zigbuild)\n  echo \"$@\" >{place}/arguments; export -p >{place}/environment\n  \
                 for t in {GNU} {MUSL}; do /bin/mkdir -p {place}/target/$t/release; /bin/cp result {place}/target/$t/release/windlass; done\n  \
                 test ! -e fails ;;\nesac"
            ),
        );
        machine
    }

    pub fn with_zig(self) -> Self {
        self.tool("cargo-zigbuild", "echo 'cargo-zigbuild 0.0.1'");
        self.tool("python3", "test \"$*\" = '-m ziglang version' && echo 0.0.2");
        self
    }

    pub fn tool(&self, name: &str, line: &str) {
        let path = self.repository.path("tools").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What comes out of a build.
    pub fn builds(&self, program: &[u8]) {
        std::fs::write(self.repository.path("result"), program).unwrap();
    }

    pub fn command(&self) -> Command {
        let mut command = self.repository.command(&["--zip"]);
        command.env_clear().env("PATH", self.repository.path("tools")).env("SOURCE_DATE_EPOCH", TIME);
        command
    }

    pub fn package(&self) -> Output {
        self.command().output().unwrap()
    }

    pub fn zip(&self) -> PathBuf {
        self.repository.path("windlass.zip")
    }

    /// What cargo was told.
    pub fn arguments(&self) -> String {
        std::fs::read_to_string(self.repository.path("arguments")).unwrap().trim().to_owned()
    }

    /// A variable that cargo was given.
    pub fn given(&self, name: &str) -> Option<String> {
        given(&self.repository.path("environment"), name)
    }
}

fn given(environment: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(environment).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('\'').to_owned())
}
