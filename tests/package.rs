//! `windlass-dev package`: from the repository's layout to the one that a Functions host reads.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = "#!/bin/sh\nexit 7\n";

/// A repository as far as packaging is concerned, and a handler that was built without its run bit.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(from.join("host.json"), folder.path().join("host.json")).unwrap();
        for name in functions(&from.join("functions")) {
            let file = Path::new("functions").join(name).join("function.json");
            std::fs::create_dir_all(folder.path().join(&file).parent().unwrap()).unwrap();
            std::fs::copy(from.join(&file), folder.path().join(&file)).unwrap();
        }
        std::fs::write(folder.path().join("local.settings.json"), r#"{"Values":{"SECRET":"mine alone"}}"#).unwrap();
        std::fs::write(folder.path().join("built"), PROGRAM).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn package(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_windlass-dev"))
            .current_dir(self.folder.path())
            .arg("package")
            .args(arguments)
            .output()
            .unwrap()
    }

    fn staged(&self) -> PathBuf {
        let output = self.package(&["--handler", "built"]);
        assert!(output.status.success(), "{}", said(&output));
        self.path("dist")
    }
}

fn functions(folder: &Path) -> BTreeSet<String> {
    names(folder).into_iter().filter(|name| folder.join(name).join("function.json").is_file()).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_package_holds_the_host_file_the_handler_and_a_folder_a_function_and_nothing_else() {
    let repository = Repository::new();
    let dist = repository.staged();
    let functions = functions(&repository.path("functions"));
    let expected: BTreeSet<String> =
        functions.iter().cloned().chain(["host.json", "windlass"].map(str::to_owned)).collect();
    assert_eq!(names(&dist), expected);
    for name in &functions {
        assert_eq!(names(&dist.join(name)), BTreeSet::from(["function.json".to_owned()]), "{name}");
        let file = Path::new(name).join("function.json");
        let (from, to) = (repository.path("functions").join(&file), dist.join(&file));
        assert_eq!(std::fs::read(from).unwrap(), std::fs::read(to).unwrap(), "{name}");
    }
    assert_eq!(std::fs::read_to_string(dist.join("windlass")).unwrap(), PROGRAM);
}

#[test]
fn the_handler_can_be_run_even_if_its_run_bit_was_lost() {
    let repository = Repository::new();
    let dist = repository.staged();
    assert_eq!(std::fs::metadata(dist.join("windlass")).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn packaging_again_leaves_nothing_of_the_package_before() {
    let repository = Repository::new();
    let dist = repository.staged();
    std::fs::remove_dir_all(repository.path("functions/health")).unwrap();
    std::fs::write(dist.join("local.settings.json"), "{}").unwrap();
    repository.staged();
    assert!(!dist.join("health").exists(), "a function that is no more");
    assert!(!dist.join("local.settings.json").exists(), "settings of this machine");
}

#[test]
fn a_folder_that_was_not_staged_is_never_wiped() {
    let repository = Repository::new();
    std::fs::create_dir_all(repository.path("mine/thesis")).unwrap();
    std::fs::write(repository.path("mine/thesis/chapter"), "years of work").unwrap();
    // A Functions project of somebody's own looks much like a package.
    std::fs::create_dir_all(repository.path("project/greet")).unwrap();
    for (file, text) in [("host.json", "{}"), ("greet/function.json", "{}"), ("greet/index.js", "years of work")] {
        std::fs::write(repository.path("project").join(file), text).unwrap();
    }
    let before = snapshot(repository.folder.path());
    for out in ["mine", "project", ".", "functions"] {
        let output = repository.package(&["--handler", "built", "--out", out]);
        assert!(!output.status.success(), "{out}");
        assert!(said(&output).contains("is no staged folder"), "{out}: {}", said(&output));
    }
    assert_eq!(snapshot(repository.folder.path()), before);
}

#[test]
fn an_empty_folder_may_be_staged_into() {
    let repository = Repository::new();
    std::fs::create_dir(repository.path("dist")).unwrap();
    repository.staged();
}

#[test]
fn a_missing_handler_is_told_with_how_to_build_it_and_the_package_before_stays() {
    let repository = Repository::new();
    let before = snapshot(&repository.staged());
    let output = repository.package(&[]);
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains("target/release/windlass") && said.contains("cargo build --release"), "{said}");
    assert!(said.contains("--handler"), "{said}");
    assert_eq!(snapshot(&repository.path("dist")), before);
}

#[test]
fn a_host_file_whose_program_the_host_would_not_find_is_refused() {
    let repository = Repository::new();
    let text = std::fs::read_to_string(repository.path("host.json")).unwrap();
    for path in ["./windlass", "bin/windlass", "/usr/bin/windlass", "..", ""] {
        let wrong = text.replace(r#""windlass""#, &format!("{path:?}"));
        std::fs::write(repository.path("host.json"), wrong).unwrap();
        let output = repository.package(&["--handler", "built"]);
        assert!(!output.status.success(), "{path}");
        assert!(said(&output).contains("bare file name"), "{path}: {}", said(&output));
    }
    std::fs::write(repository.path("host.json"), "{").unwrap();
    assert!(said(&repository.package(&["--handler", "built"])).contains("host.json"));
    assert!(!repository.path("dist").exists());
}

#[test]
fn a_repository_without_functions_is_told_how_to_make_them() {
    let repository = Repository::new();
    std::fs::remove_dir_all(repository.path("functions")).unwrap();
    std::fs::create_dir(repository.path("functions")).unwrap();
    let output = repository.package(&["--handler", "built"]);
    assert!(!output.status.success());
    assert!(said(&output).contains("functions --write"), "{}", said(&output));
}

/// Every file below with what it holds.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
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
