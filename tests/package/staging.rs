//! The folder that a host on this machine runs.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::repository::{PROGRAM, Repository, functions, names, said, snapshot};

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
