//! What builds a handler for the platform, and what to install where that is missing. Nothing is installed from here.
//!
//! The platform's glibc is not documented. So the handler is static where Rust's standard library for musl is
//! installed; elsewhere it is linked against an old glibc, which zig has the interfaces of.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

/// Others will do as well, but another tool may make other bytes of the same commit.
const ZIGBUILD: &str = "0.24.1";
const ZIGLANG: &str = "0.17.1";

const MUSL: &str = "x86_64-unknown-linux-musl";
const GNU: &str = "x86_64-unknown-linux-gnu";
const GNU_WITH_FLOOR: &str = "x86_64-unknown-linux-gnu.2.28";

pub struct Toolchain {
    /// Cargo's subcommand.
    pub subcommand: &'static str,
    /// What the subcommand is told to build for.
    pub target: &'static str,
    /// The same as Rust knows it.
    pub triple: &'static str,
    pub sysroot: String,
    /// The commit that Rust's own sources are named by.
    pub rust_commit: String,
    /// Every tool with its version.
    pub versions: String,
}

/// Looks for the tools. Whatever is missing is told at once.
pub fn find() -> anyhow::Result<Toolchain> {
    let Some(rustc) = said("rustc", &["-vV"]).filter(|_| said("cargo", &["--version"]).is_some()) else {
        bail!(told(&["Rust is missing: install it with rustup; rust-toolchain.toml names the version".to_owned()]));
    };
    let of_rustc = |name: &str| rustc.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let release = of_rustc("release: ");
    let is_static = has_library(MUSL);
    let zigbuild = said("cargo-zigbuild", &["--version"]);
    let zig = zig();
    let (subcommand, target, triple, tools) = match (is_static, zigbuild, zig) {
        (true, _, _) if said("musl-gcc", &["-dumpversion"]).is_some() => {
            ("build", MUSL, MUSL, format!("musl-gcc {}", said("musl-gcc", &["-dumpversion"]).unwrap_or_default()))
        }
        (_, Some(zigbuild), Some(zig)) if is_static || has_library(GNU) => {
            let (target, triple) = if is_static { (MUSL, MUSL) } else { (GNU_WITH_FLOOR, GNU) };
            ("zigbuild", target, triple, format!("{zigbuild}, zig {zig}"))
        }
        (_, zigbuild, zig) => bail!(told(&missing(is_static, zigbuild.is_some(), zig.is_some()))),
    };
    Ok(Toolchain {
        subcommand,
        target,
        triple,
        sysroot: said("rustc", &["--print", "sysroot"]).unwrap_or_default(),
        rust_commit: of_rustc("commit-hash: "),
        versions: format!("rustc {release}, {tools}, for {target}"),
    })
}

fn missing(is_static: bool, zigbuild: bool, zig: bool) -> Vec<String> {
    let mut missing = Vec::new();
    if !is_static && !has_library(GNU) {
        missing.push(format!("Rust's standard library for {GNU}: rustup target add {GNU}"));
    }
    if !zigbuild {
        missing.push(format!("cargo-zigbuild: cargo install --locked cargo-zigbuild@{ZIGBUILD}"));
    }
    if !zig {
        missing.push(format!(
            "zig, which cargo-zigbuild calls: python3 -m pip install ziglang=={ZIGLANG}, or name a zig in \
             CARGO_ZIGBUILD_ZIG_PATH"
        ));
    }
    let musl = "musl-gcc (the package musl-tools in Debian)";
    missing.push(match is_static {
        true => format!("or, in place of these, {musl}: Rust's standard library for {MUSL} is there already"),
        false => format!("or, in place of all these, build it static: rustup target add {MUSL}, and {musl}"),
    });
    missing
}

fn told(missing: &[String]) -> String {
    let list: String = missing.iter().map(|missing| format!("\n  - {missing}")).collect();
    format!("the handler cannot be built for the platform; install what is missing and call this again:{list}")
}

/// Whether the standard library for this target is installed.
fn has_library(triple: &str) -> bool {
    let folder = said("rustc", &["--print", "target-libdir", "--target", triple]);
    folder.is_some_and(|folder| Path::new(&folder).is_dir())
}

/// The version of the zig that cargo-zigbuild would take, which looks in the same places in this order.
fn zig() -> Option<String> {
    let named = |variable: &str, default: &str| std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    said(&named("CARGO_ZIGBUILD_PYTHON_PATH", "python3"), &["-m", "ziglang", "version"])
        .or_else(|| said(&named("CARGO_ZIGBUILD_ZIG_PATH", "zig"), &["version"]))
}

/// What the program prints; None if it is missing or fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
