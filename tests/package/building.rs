//! What builds the handler, what it is told, and what is said where it is missing.

use std::process::{Command, Output};

use crate::programs::static_program;
use crate::repository::said;
use crate::tools::{GNU, MUSL, Machine, TIME};

/// How `tests/run` pins a tool.
fn pinned(tool: &str) -> String {
    let script = include_str!("../run");
    let line = script.lines().find_map(|line| line.strip_prefix(tool)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("tests/run pins no {tool}")).to_owned()
}

#[test]
fn without_its_tools_it_says_what_to_install_and_how_and_makes_nothing() {
    let machine = Machine::with_rust(&[GNU]);
    let output = machine.package();
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    for word in [
        format!("cargo install --locked cargo-zigbuild@{}", pinned("ZIGBUILD")),
        format!("python3 -m pip install ziglang=={}", pinned("ZIGLANG")),
        format!("rustup target add {MUSL}"),
        "musl-tools".to_owned(),
    ] {
        assert!(said.contains(&word), "{word}: {said}");
    }
    assert!(!machine.zip().exists() && !machine.repository.path("arguments").exists());
}

#[test]
fn only_what_is_missing_is_asked_for() {
    let machine = Machine::with_rust(&[GNU]).with_zig();
    std::fs::remove_file(machine.repository.path("tools/python3")).unwrap();
    let missing = said(&machine.package());
    assert!(missing.contains("ziglang==") && !missing.contains("cargo install"), "{missing}");

    // As under cargo-zigbuild itself, a zig without Python will do.
    machine.tool("zig", "echo 0.0.3");
    let output = machine.package();
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("zig 0.0.3"));

    let machine = Machine::with_rust(&[]).with_zig();
    let missing = said(&machine.package());
    assert!(missing.contains(&format!("rustup target add {GNU}")), "{missing}");
    let machine = Machine::with_rust(&[MUSL]);
    let missing = said(&machine.package());
    assert!(missing.contains("musl-gcc") && !missing.contains("rustup target add"), "{missing}");
}

#[test]
fn without_rust_it_says_where_rust_comes_from() {
    let output = Machine::bare().package();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("install it with rustup"), "{}", said(&output));
}

#[test]
fn it_is_linked_against_an_old_glibc_where_there_is_no_musl() {
    let machine = Machine::with_rust(&[GNU]).with_zig();
    let output = machine.package();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.arguments(), format!("zigbuild --release --locked --bin windlass --target {GNU}.2.28"));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("built with rustc 1.95.0, cargo-zigbuild 0.0.1, zig 0.0.2"), "{told}");
    assert!(machine.zip().is_file());
}

#[test]
fn it_is_static_where_there_is_musl() {
    let machine = Machine::with_rust(&[GNU, MUSL]).with_zig();
    assert!(machine.package().status.success());
    assert_eq!(machine.arguments(), format!("zigbuild --release --locked --bin windlass --target {MUSL}"));
    machine.tool("musl-gcc", "echo 12");
    assert!(machine.package().status.success());
    assert_eq!(machine.arguments(), format!("build --release --locked --bin windlass --target {MUSL}"));
}

#[test]
fn compilers_are_told_no_folder_of_this_machine_no_time_and_no_wish_of_whoever_builds() {
    let machine = Machine::with_rust(&[GNU]).with_zig();
    let wishes =
        [("RUSTFLAGS", "-Ctarget-cpu=native"), ("CC", "tcc"), ("CFLAGS", "-g"), ("CARGO_PROFILE_RELEASE_LTO", "off")];
    let output = machine.command().envs(wishes).env("CARGO_BUILD_JOBS", "1").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for (name, _) in wishes {
        assert_eq!(machine.given(name), None, "{name}");
    }
    assert_eq!(machine.given("CARGO_BUILD_JOBS").as_deref().map(|text| text.trim_matches('"')), Some("1"));
    assert_eq!(machine.given("SOURCE_DATE_EPOCH").as_deref().map(|text| text.trim_matches('"')), Some(TIME));
    let place = machine.repository.folder.path().display().to_string();
    let (rust, c) =
        (machine.given("CARGO_ENCODED_RUSTFLAGS").unwrap(), machine.given("CFLAGS_x86_64_unknown_linux_gnu").unwrap());
    for (from, to) in [
        (place.clone(), "windlass"),
        (format!("{place}/target"), "target"),
        (format!("{place}/sysroot"), "toolchain"),
        (format!("{place}/sysroot/lib/rustlib/src/rust"), "/rustc/cafe"),
        ("/somewhere/sources".to_owned(), "registry"),
    ] {
        assert!(rust.contains(&format!("--remap-path-prefix={from}={to}")), "{from}: {rust}");
        assert!(c.contains(&format!("-ffile-prefix-map={from}={to}")), "{from}: {c}");
    }
    assert!(c.contains("date-time"), "{c}");
}

#[test]
fn a_handler_that_tells_of_this_machine_is_no_package() {
    let machine = Machine::with_rust(&[GNU]).with_zig();
    let mut program = static_program();
    program.extend(b"\0/somewhere/sources/a-1.0.0/src/lib.rs\0");
    machine.builds(&program);
    let output = machine.package();
    assert!(!output.status.success());
    assert!(said(&output).contains("names the folder /somewhere/sources"), "{}", said(&output));
    assert!(!machine.zip().exists());
}

#[test]
fn a_build_that_fails_makes_no_package_of_what_was_built_before() {
    let machine = Machine::with_rust(&[GNU]).with_zig();
    std::fs::write(machine.repository.path("fails"), "").unwrap();
    let output = machine.package();
    assert!(!output.status.success());
    assert!(said(&output).contains("the handler cannot be built"), "{}", said(&output));
    assert!(!machine.zip().exists());
}

#[test]
fn the_time_is_the_commits_or_asked_for_and_what_is_in_no_commit_is_told() {
    let machine = Machine::with_rust(&[GNU]).with_zig();
    let output = machine.command().env_remove("SOURCE_DATE_EPOCH").output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("set SOURCE_DATE_EPOCH"), "{}", said(&output));

    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(machine.repository.folder.path()).args(["-c", "user.name=x", "-c", "user.email=x@example.com"]);
        git.args(arguments).env("GIT_COMMITTER_DATE", "1600000000 +0000").output().unwrap()
    };
    assert!(git(&["init", "-q"]).status.success());
    assert!(git(&["commit", "-q", "--allow-empty", "-m", "x"]).status.success());
    let path = format!("{}:{}", machine.repository.path("tools").display(), std::env::var("PATH").unwrap());
    let package = || machine.command().env_remove("SOURCE_DATE_EPOCH").env("PATH", &path).output().unwrap();
    let output = package();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.given("SOURCE_DATE_EPOCH").unwrap().trim_matches('"'), "1600000000");

    // Nor can anybody else make it while its files are in no commit.
    let told = |output: &Output| String::from_utf8_lossy(&output.stdout).contains("of files that no commit holds");
    assert!(told(&output));
    assert!(git(&["add", "-A"]).status.success() && git(&["commit", "-q", "-m", "all"]).status.success());
    assert!(!told(&package()));
}
