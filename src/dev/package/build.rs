//! The handler for the platform, built so that its bytes depend on the commit and on the tools alone: on no folder, no
//! clock and no setting of whoever builds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use super::layout::{read, shown};
use super::toolchain::{self, Toolchain};

/// What the handler says that it was built from.
const COMMIT: &str = "WINDLASS_COMMIT";

pub struct Built {
    pub handler: PathBuf,
    /// The tools that built it.
    pub with: String,
    /// Whether it was built of anything but a commit.
    pub uncommitted: bool,
}

/// Builds the release handler of the workspace at `root`.
pub fn build(root: &Path) -> anyhow::Result<Built> {
    let toolchain = toolchain::find()?;
    let time = commit_time(root)?;
    let uncommitted = git(root, &["status", "--porcelain"]).is_none_or(|changes| !changes.is_empty());
    let places = Places::of(root, &toolchain)?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root).arg(toolchain.subcommand);
    cargo.args(["--release", "--locked", "--bin", env!("CARGO_PKG_NAME"), "--target", toolchain.target]);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(changes_the_bytes) {
            cargo.env_remove(name);
        }
    }
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", places.for_rust().join("\u{1f}"))
        .env(format!("CFLAGS_{}", toolchain.triple.replace('-', "_")), places.for_c().join(" "))
        .env("CARGO_INCREMENTAL", "0")
        .env("SOURCE_DATE_EPOCH", time)
        .env_remove(COMMIT);
    if let Some(commit) = git(root, &["rev-parse", "HEAD"]) {
        cargo.env(COMMIT, if uncommitted { format!("{commit}, changed") } else { commit });
    }
    let status = cargo.stdin(Stdio::null()).status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("the handler cannot be built ({status}); what is wrong stands above");
    }
    let handler = places.target.join(toolchain.triple).join("release").join(env!("CARGO_PKG_NAME"));
    if let Some(place) = places.named_in(&read(&handler)?)? {
        bail!(
            "{} names the folder {place} of this machine, so that another one would make another package; a dependency \
             writes its path into the program",
            shown(&handler)
        );
    }
    Ok(Built { handler, with: toolchain.versions, uncommitted })
}

/// What compilers write into a program in place of the time at which they run.
fn commit_time(root: &Path) -> anyhow::Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    git(root, &["log", "-1", "--format=%ct"])
        .context("git does not tell when the commit was made; build in a clone, or set SOURCE_DATE_EPOCH to its time")
}

/// What git says; None if it is missing or this is no clone.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(arguments).output().ok();
    let output = output.filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a variable of the environment could make other bytes of the same commit. How many jobs run, and where they
/// put things, is not of that kind.
fn changes_the_bytes(name: &str) -> bool {
    let exact =
        ["AR", "CC", "CXX", "CPP", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_BOOTSTRAP", "LDFLAGS", "CPATH"];
    let prefixes = [
        "AR_",
        "AWS_LC_",
        "CARGO_PROFILE_",
        "CARGO_TARGET_X86_64",
        "CC_",
        "CFLAGS",
        "CPPFLAGS",
        "CXXFLAGS",
        "CXX_",
        "C_INCLUDE_",
        "HOST_",
        "LIBSQLITE3_",
        "SQLITE",
        "TARGET_",
    ];
    exact.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// The folders of this machine that compilers get to see, each with the name that it has everywhere.
struct Places {
    target: PathBuf,
    renamed: Vec<(String, String)>,
}

impl Places {
    fn of(root: &Path, toolchain: &Toolchain) -> anyhow::Result<Self> {
        let metadata = metadata(root, toolchain.triple)?;
        let text =
            |name: &str| metadata[name].as_str().map(str::to_owned).with_context(|| format!("cargo tells no {name}"));
        let (workspace, target) = (text("workspace_root")?, text("target_directory")?);
        let manifests =
            metadata["packages"].as_array().into_iter().flatten().filter(|package| package["source"].is_string());
        let folders: BTreeSet<_> = manifests
            .filter_map(|package| Path::new(package["manifest_path"].as_str()?).parent()?.parent()?.to_str())
            .collect();
        let sysroot = &toolchain.sysroot;
        // What lies deeper comes later, for the last that fits is taken.
        let mut renamed = vec![
            (sysroot.clone(), "toolchain".to_owned()),
            (format!("{sysroot}/lib/rustlib/src/rust"), format!("/rustc/{}", toolchain.rust_commit)),
            (workspace, "windlass".to_owned()),
            (target.clone(), "target".to_owned()),
        ];
        renamed.extend(folders.into_iter().map(|folder| (folder.to_owned(), "registry".to_owned())));
        Ok(Self { target: target.into(), renamed })
    }

    fn for_rust(&self) -> Vec<String> {
        self.renamed.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect()
    }

    fn for_c(&self) -> Vec<String> {
        let maps = self.renamed.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}"));
        maps.chain(["-Werror=date-time".to_owned()]).collect()
    }

    /// A folder of this machine that the program tells of.
    fn named_in(&self, program: &[u8]) -> anyhow::Result<Option<&str>> {
        for (place, _) in &self.renamed {
            if regex::bytes::Regex::new(&regex::escape(&format!("{place}/")))?.is_match(program) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// What cargo knows of the workspace. Fetches what is not there yet, so that every source has its folder.
fn metadata(root: &Path, triple: &str) -> anyhow::Result<Value> {
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", triple])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be run")?;
    if !output.status.success() {
        bail!("cargo cannot tell what the handler is made of ({}); what is wrong stands above", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_builds_has_no_hand_in_the_bytes_and_may_choose_how_fast_and_where_it_is_built() {
        for name in [
            "RUSTFLAGS",
            "CC",
            "CFLAGS_x86_64_unknown_linux_gnu",
            "HOST_CC",
            "CARGO_PROFILE_RELEASE_LTO",
            "AWS_LC_SYS_CFLAGS",
        ] {
            assert!(changes_the_bytes(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_JOBS",
            "CARGO_ZIGBUILD_ZIG_PATH",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(!changes_the_bytes(name), "{name}");
        }
    }

    #[test]
    fn a_folder_that_the_program_tells_of_is_found() {
        let places = Places { target: "/x/target".into(), renamed: vec![("/x+y/work".into(), "windlass".into())] };
        assert_eq!(places.named_in(b"\0/x+y/work/src/main.rs\0").unwrap(), Some("/x+y/work"));
        assert_eq!(places.named_in(b"windlass/src/main.rs /xxy/work/ /x+y/workshop/").unwrap(), None);
    }
}
