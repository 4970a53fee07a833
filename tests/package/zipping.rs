//! The zip that Azure is given.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use zip::ZipArchive;

use crate::programs::static_program;
use crate::repository::{Repository, functions, said, snapshot};
use crate::zips::python;

#[test]
fn the_same_files_make_the_same_zip_in_another_folder_at_another_time_and_in_another_order() {
    let one = Repository::with_handler(&static_program());
    let other = Repository::with_handler(&static_program());
    let functions = functions(&one.path("functions"));
    // Written again the other way round, a folder is listed the other way round on many file systems.
    std::fs::remove_dir_all(other.path("functions")).unwrap();
    for (days, name) in (1..).zip(functions.iter().rev()) {
        let file = Path::new("functions").join(name).join("function.json");
        let to = other.folder.path().join(&file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(&to, std::fs::read(one.folder.path().join(&file)).unwrap()).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(days * 86_400 * 365);
        std::fs::File::options().write(true).open(&to).unwrap().set_modified(time).unwrap();
    }
    assert!(Command::new("chmod").arg("711").arg(other.path("built")).status().unwrap().success());
    assert!(Command::new("chmod").arg("600").arg(other.path("host.json")).status().unwrap().success());
    let output = other.command(&["--zip", "--handler", "built"]).env("TZ", "Pacific/Auckland").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let other = std::fs::read(other.path("windlass.zip")).unwrap();
    assert!(one.zipped() == other, "the two zips differ");
}

#[test]
fn any_change_of_a_file_makes_another_zip() {
    let repository = Repository::with_handler(&static_program());
    let before = repository.zipped();
    let mut handler = static_program();
    *handler.last_mut().unwrap() += 1;
    std::fs::write(repository.path("built"), handler).unwrap();
    assert!(repository.zipped() != before);
}

#[test]
fn the_zip_holds_the_host_file_the_handler_and_a_function_file_a_function_and_nothing_else() {
    let repository = Repository::with_handler(&static_program());
    repository.zipped();
    let mut expected: Vec<String> = functions(&repository.path("functions"))
        .into_iter()
        .map(|name| format!("{name}/function.json"))
        .chain(["host.json", "windlass"].map(str::to_owned))
        .collect();
    expected.sort();
    let lines = "import zipfile\nfor i in zipfile.ZipFile('windlass.zip').infolist():\n  \
                 print(i.filename, i.create_system, oct(i.external_attr >> 16), i.date_time)";
    let told = python(repository.folder.path(), lines);
    let shown = |name: &String| {
        let mode = if name == "windlass" { "0o100755" } else { "0o100644" };
        format!("{name} 3 {mode} (1980, 1, 1, 0, 0, 0)")
    };
    assert_eq!(told.lines().map(str::to_owned).collect::<Vec<_>>(), expected.iter().map(shown).collect::<Vec<_>>());
}

#[test]
fn the_handler_runs_as_it_comes_out_of_the_zip() {
    let repository = Repository::with_handler(&static_program());
    let mut zip = ZipArchive::new(Cursor::new(repository.zipped())).unwrap();
    zip.extract(repository.path("unpacked")).unwrap();
    let status = Command::new(repository.path("unpacked/windlass")).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
fn a_package_that_would_not_run_leaves_the_one_before_as_it_was() {
    let repository = Repository::with_handler(&static_program());
    let before = repository.zipped();
    std::fs::write(repository.path("built"), "#!/bin/sh\n").unwrap();
    std::fs::write(repository.path("functions/health/function.json"), "{}").unwrap();
    let output = repository.package(&["--zip", "--handler", "built"]);
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains("is not written") && said.contains("no ELF program"), "{said}");
    assert!(said.contains("health/function.json: has no bindings"), "{said}");
    assert!(std::fs::read(repository.path("windlass.zip")).unwrap() == before);
    assert!(!repository.path("windlass.zip.part").exists());
}

#[test]
fn it_goes_where_it_is_told_to_and_says_its_sum() {
    let repository = Repository::with_handler(&static_program());
    let output = repository.package(&["--zip", "--handler", "built", "--out", "for-azure.zip"]);
    assert!(output.status.success(), "{}", said(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    let sum = python(
        repository.folder.path(),
        "import hashlib\nprint(hashlib.sha256(open('for-azure.zip', 'rb').read()).hexdigest())",
    );
    assert!(told.contains("for-azure.zip is sound"), "{told}");
    assert!(told.contains("is static") && told.contains(sum.trim()), "{told}");
    assert!(!repository.path("windlass.zip").exists() && !repository.path("dist").exists());
}

#[test]
fn a_handler_that_is_not_there_is_told() {
    let repository = Repository::new();
    let output = repository.package(&["--zip", "--handler", "elsewhere"]);
    assert!(!output.status.success());
    assert!(said(&output).contains("there is no handler at elsewhere"), "{}", said(&output));
}

#[test]
fn where_no_zip_can_be_written_nothing_is_left() {
    let repository = Repository::with_handler(&static_program());
    repository.staged();
    let before = snapshot(repository.folder.path());
    let output = repository.package(&["--zip", "--handler", "built", "--out", "dist"]);
    assert!(!output.status.success());
    assert!(said(&output).contains("dist cannot be written"), "{}", said(&output));
    assert_eq!(snapshot(repository.folder.path()), before);
}
