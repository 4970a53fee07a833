//! `windlass-dev up --host <program>`: another Functions host gets a staged folder and does the rest.
//!
//! The program is a stub of ours: [`staged`] looks at the folder with the eyes of the real host, and [`stub`] then runs
//! it as the local host does. It is this test binary again, behind a script of one line.

mod staged;
mod stub;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::local::PATIENCE;

/// Nobody listens there: these tests end before storage is asked for anything.
const STORAGE: &str = "AccountName=nobody;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/b;\
                       QueueEndpoint=http://127.0.0.1:9/q;TableEndpoint=http://127.0.0.1:9/t";

/// A program of one line of shell, in a folder that must live as long as it.
fn program(folder: &Path, line: &str) -> PathBuf {
    let path = folder.join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn stub(folder: &Path) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let test = "external_host::stub::serves_what_it_finds_in_order";
    program(folder, &format!("{}=\"$*\" exec {} --exact {test} --nocapture", stub::ARGUMENTS, this.display()))
}

fn up(data: &Path, host: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    up_command(data, host, arguments).envs(environment.iter().copied()).output().unwrap()
}

fn up_command(data: &Path, host: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-dev"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["up", "--handler", env!("CARGO_BIN_EXE_windlass"), "--port", "0", "--data"])
        .arg(data)
        .arg("--host")
        .arg(host)
        .args(arguments)
        .env_remove("PLATFORM_SUBSCRIPTION_ID");
    command
}

/// What a host would have been started on, and what it saw: `arguments` and `environment`, one a line.
fn recorded(environment: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf, Output) {
    let folder = tempfile::tempdir().unwrap();
    let record = format!("cd {}; printf '%s\\n' \"$@\" >arguments; env >environment; exit 3", folder.path().display());
    let host = program(folder.path(), &record);
    let data = folder.path().join("data");
    let output = up(&data, &host, environment, &["--storage", STORAGE]);
    (folder, data.join("dist"), output)
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

fn values(dist: &Path) -> Value {
    serde_json::from_slice::<Value>(&std::fs::read(dist.join("local.settings.json")).unwrap()).unwrap()["Values"].take()
}

#[test]
fn what_is_staged_obeys_every_rule_of_the_host() {
    let (_folder, dist, _) = recorded(&[]);
    assert_eq!(staged::faults(&dist), Vec::<String>::new());
}

#[test]
fn the_host_is_told_where_the_folder_is_and_which_port_to_take() {
    let (folder, dist, output) = recorded(&[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let port = said.split_once("Windlass is at http://127.0.0.1:").unwrap().1.split_whitespace().next().unwrap();
    assert_ne!(port, "0");
    let expected = ["start", "--script-root", dist.to_str().unwrap(), "--port", port];
    assert_eq!(lines(&folder.path().join("arguments")), expected);
}

#[test]
fn a_host_that_ends_by_itself_is_a_failure_whatever_its_code_is() {
    let (_folder, _, output) = recorded(&[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ended by itself: exit status: 3"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let host = program(folder.path(), "exit 0");
    let output = up(&folder.path().join("data"), &host, &[], &["--storage", STORAGE]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn told_to_stop_it_tells_the_host_and_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display();
    // Ready to be told once the file is there.
    let line = format!(
        "trap 'sleep 0.2; touch {place}/stopped; exit 0' TERM; touch {place}/runs; while :; do sleep 0.05; done"
    );
    let host = program(folder.path(), &line);
    let mut child =
        up_command(&folder.path().join("data"), &host, &["--storage", STORAGE]).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !folder.path().join("runs").exists() {
        assert!(begun.elapsed() < PATIENCE, "the host was never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("stopped").exists(), "the host was cut off");
}

#[test]
fn what_this_command_decides_wins_over_the_environment() {
    let set = [
        ("AzureWebJobsStorage", "AccountName=another"),
        ("WINDLASS_STORAGE", "embedded"),
        ("AZURE_ARM_ENDPOINT", "https://management.example"),
        ("WINDLASS_LEASE_SECONDS", "7"),
        ("WINDLASS_DEV_BYPASS_ROLES", "Reader"),
    ];
    let (folder, dist, _) = recorded(&set);
    let (seen, values) = (lines(&folder.path().join("environment")), values(&dist));
    assert_eq!(values["AzureWebJobsStorage"], STORAGE);
    assert_eq!(values.get("WINDLASS_STORAGE"), None, "unset means the account");
    assert!(values["AZURE_ARM_ENDPOINT"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{values}");
    for (name, value) in set {
        // The host's environment wins over the file, so whatever the file decides must not be in it.
        let inherited = seen.contains(&format!("{name}={value}"));
        assert_eq!(inherited, ["WINDLASS_LEASE_SECONDS", "WINDLASS_DEV_BYPASS_ROLES"].contains(&name), "{name}");
    }
}

#[test]
fn embedded_storage_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let host = program(folder.path(), "touch was-run");
    let output = up(&folder.path().join("data"), &host, &[], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("--storage UseDevelopmentStorage=true"), "{said}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = up(&folder.path().join("data"), Path::new("/no/such/func"), &[], &["--storage", STORAGE]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("/no/such/func cannot be run"), "{said}");
}

/// What may go wrong with a folder, and a word of the complaint. Without these the rules above would prove nothing.
type Tampering = (&'static str, fn(&Path), &'static str);

fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut json: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(file, json.to_string()).unwrap();
}

fn change_binding(dist: &Path, function: &str, field: &str, value: Value) {
    change(&dist.join(function).join("function.json"), |json| json["bindings"][0][field] = value);
}

fn run_bit(dist: &Path, mode: u32) {
    std::fs::set_permissions(dist.join("windlass"), std::fs::Permissions::from_mode(mode)).unwrap();
}

const TAMPERINGS: &[Tampering] = &[
    ("no host.json", |dist| std::fs::remove_file(dist.join("host.json")).unwrap(), "host.json"),
    ("an empty host.json", |dist| std::fs::write(dist.join("host.json"), "").unwrap(), "host.json"),
    ("another version", |dist| change(&dist.join("host.json"), |json| json["version"] = json!("1.0")), "version"),
    (
        "a program by its path",
        |dist| {
            change(&dist.join("host.json"), |json| {
                json["customHandler"]["description"]["defaultExecutablePath"] = json!("./windlass");
            });
        },
        "bare file name",
    ),
    ("no program", |dist| std::fs::remove_file(dist.join("windlass")).unwrap(), "windlass is missing"),
    ("a program without its run bit", |dist| run_bit(dist, 0o644), "cannot be run"),
    (
        "base64 messages",
        |dist| change(&dist.join("host.json"), |json| json["extensions"]["queues"]["messageEncoding"] = json!("hex")),
        "messageEncoding",
    ),
    (
        "a batch that is too large",
        |dist| change(&dist.join("host.json"), |json| json["extensions"]["queues"]["batchSize"] = json!(33)),
        "batchSize",
    ),
    (
        "functions one level too deep",
        |dist| {
            std::fs::create_dir(dist.join("functions")).unwrap();
            std::fs::rename(dist.join("health"), dist.join("functions/health")).unwrap();
        },
        "functions: holds no function.json",
    ),
    (
        "a function's name",
        |dist| std::fs::rename(dist.join("health"), dist.join("2health")).unwrap(),
        "2health: is no function name",
    ),
    (
        "a function without bindings",
        |dist| std::fs::write(dist.join("health/function.json"), "{}").unwrap(),
        "health: has 0 triggers",
    ),
    ("two triggers", |dist| change_binding(dist, "runs", "type", json!("none")), "runs: has 0 triggers"),
    ("a binding's name", |dist| change_binding(dist, "runs", "name", json!("a-b")), "runs: 'a-b' is no binding name"),
    ("a direction", |dist| change_binding(dist, "runs", "direction", json!("inout")), "direction"),
    ("a route with a brace", |dist| change_binding(dist, "runs", "route", json!("api/{x")), "unclosed brace"),
    ("a route of the host's own", |dist| change_binding(dist, "runs", "route", json!("admin/x")), "the host's own"),
    (
        "a route twice",
        |dist| change_binding(dist, "probe_start", "route", json!("api/upgrade/start")),
        "has the route of",
    ),
    (
        "a queue's name",
        |dist| change_binding(dist, "probe_build", "queueName", json!("Probe--Build")),
        "is no queue name",
    ),
    (
        "a connection that is set nowhere",
        |dist| change_binding(dist, "probe_build", "connection", json!("Elsewhere")),
        "Elsewhere",
    ),
    ("a schedule", |dist| change_binding(dist, "windlass_sweep", "schedule", json!("daily")), "schedule"),
    ("no settings", |dist| std::fs::remove_file(dist.join("local.settings.json")).unwrap(), "local.settings.json"),
    (
        "a setting that is no text",
        |dist| change(&dist.join("local.settings.json"), |json| json["Values"]["WINDLASS_TABLE"] = json!(1)),
        "WINDLASS_TABLE is no text",
    ),
    (
        "a setting that nobody reads",
        |dist| change(&dist.join("local.settings.json"), |json| json["Values"]["CLIENT_SECRET"] = json!("x")),
        "CLIENT_SECRET",
    ),
    (
        "another kind of worker",
        |dist| {
            change(&dist.join("local.settings.json"), |json| {
                json["Values"]["FUNCTIONS_WORKER_RUNTIME"] = json!("node");
            });
        },
        "FUNCTIONS_WORKER_RUNTIME",
    ),
];

#[test]
fn a_folder_that_was_tampered_with_is_complained_of_and_not_served() {
    let (folder, sound, _) = recorded(&[]);
    let stub = stub(folder.path());
    for (name, tamper, word) in TAMPERINGS {
        let dist = folder.path().join("tampered");
        assert!(
            Command::new("cp").args(["-r".as_ref(), sound.as_os_str(), dist.as_os_str()]).status().unwrap().success()
        );
        tamper(&dist);
        let output =
            Command::new(&stub).args(["start", "--script-root"]).arg(&dist).args(["--port", "0"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{name}: was served");
        assert!(said.contains(word), "{name}: {said}");
        std::fs::remove_dir_all(dist).unwrap();
    }
}

#[test]
fn the_whole_surface_is_the_same_under_another_host() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--skip", "external_host", "--test-threads", "2"])
        .env("WINDLASS_HOST", stub(folder.path()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("running 0 tests"), "{said}");
}
