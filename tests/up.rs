//! `windlass-dev up`: what keeps it from starting, what its settings come to, and how it ends.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/local.rs"]
mod local;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use local::{PATIENCE, children_of};

/// A repository with what the host reads in it.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["host.json", "functions"] {
            let copied = Command::new("cp").arg("-r").arg(from.join(name)).arg(folder.path()).status().unwrap();
            assert!(copied.success());
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces a text in a file that has it.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        std::fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    fn up(&self, arguments: &[&str]) -> Command {
        self.up_with(env!("CARGO_BIN_EXE_windlass"), "0", arguments)
    }

    fn up_with(&self, handler: &str, port: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-dev"));
        command
            .current_dir(self.0.path())
            .args(["up", "--handler", handler, "--port", port])
            .args(arguments)
            .env_remove("PLATFORM_SUBSCRIPTION_ID")
            .stdin(Stdio::null());
        command
    }
}

/// Ends with a failure that says all of this. The whole of what it said.
fn refused(command: &mut Command, words: &[&str]) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).lines().any(|line| line == "ready"));
    for word in words {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
    said
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let repository = Repository::new();
    let mut command = repository.up_with(env!("CARGO_BIN_EXE_windlass"), &port, &[]);
    refused(&mut command, &[&format!("127.0.0.1:{port}"), "another port"]);
}

#[test]
fn every_fault_of_the_hosts_files_is_told_at_once_with_its_file() {
    let repository = Repository::new();
    repository.edit("host.json", r#""version": "2.0""#, r#""version": "1.0""#);
    repository.edit("host.json", r#""batchSize": 16"#, r#""batchSise": 16"#);
    repository.edit("functions/probe_build/function.json", "probe-build", "Probe_Build");
    repository.edit("functions/health/function.json", "httpTrigger", "httpTriger");
    repository.edit("functions/windlass_sweep/function.json", "*/30 * * * * *", "%SWEEP%");
    repository.write("functions/runs/function.json", "{");
    refused(
        &mut repository.up(&[]),
        &[
            "host.json: version is not",
            "batchSise",
            "probe_build/function.json: ",
            "'Probe_Build'",
            "health/function.json: ",
            "'httptriger'",
            "windlass_sweep/function.json: ",
            "'SWEEP'",
            "runs/function.json: is no JSON",
        ],
    );
}

#[test]
fn broken_local_settings_are_told_with_what_to_write() {
    let repository = Repository::new();
    for (text, words) in [
        ("{", &["local.settings.json", "no JSON"][..]),
        (r#"{"IsEncrypted": true, "Values": {"A": {"b": 1}, "C": []}}"#, &["IsEncrypted", "Values.A", "Values.C"]),
        (r#"{"Values": ["A"]}"#, &["local.settings.json", "Values is no object"]),
    ] {
        repository.write("local.settings.json", text);
        refused(&mut repository.up(&[]), words);
    }
}

#[test]
fn a_place_where_nothing_can_be_kept_is_named() {
    let repository = Repository::new();
    repository.write("a-file", "");
    refused(&mut repository.up(&["--data", "a-file/below"]), &["a-file/below", "cannot be made"]);
    repository.write("data/storage", "no folder");
    refused(&mut repository.up(&["--data", "data"]), &["data/storage", "cannot be opened"]);
}

#[test]
fn storage_that_does_not_answer_is_told_with_how_to_start_it() {
    let repository = Repository::new();
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let storage = format!(
        "AccountName=devstoreaccount1;AccountKey=cGw0bnRlZA==;BlobEndpoint=http://{free}/devstoreaccount1;\
         QueueEndpoint=http://{free}/devstoreaccount1;TableEndpoint=http://{free}/devstoreaccount1"
    );
    let said = refused(&mut repository.up(&["--storage", &storage]), &["npx azurite", &free.to_string()]);
    assert!(!said.contains("cGw0bnRlZA"), "{said}");
    let said =
        refused(&mut repository.up(&["--storage", "AccountName=a;AccountKey=pl4nted%"]), &["--storage", "AccountKey"]);
    assert!(!said.contains("pl4nted"), "{said}");
    refused(&mut repository.up(&["--storage", "embeded"]), &["--storage", "embedded"]);
}

#[test]
fn a_handler_that_is_not_there_is_told_with_what_to_do() {
    let repository = Repository::new();
    refused(&mut repository.up_with("no/such/handler", "0", &[]), &["no/such/handler", "build the handler"]);
}

#[test]
fn a_handler_that_does_not_start_ends_the_host_with_its_reasons() {
    let repository = Repository::new();
    let faults = [("WINDLASS_LEASE_SECONDS", "soon"), ("AZURE_FUNCTIONS_ENVIRONMENT", "Production")];
    refused(
        repository.up(&[]).envs(faults),
        &["WINDLASS_LEASE_SECONDS is 'soon'", "WINDLASS_AUTH names dev_bypass", "crashed three times"],
    );
}

#[test]
fn outside_a_repository_it_says_where_to_run_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-dev"));
    refused(command.current_dir(elsewhere.path()).arg("up"), &["host.json", "repository"]);
}

/// One that became ready, killed with the test.
struct Up {
    child: Child,
    said: Vec<String>,
}

impl Up {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said: Vec<String> = lines.take_while(|line| line != "ready").collect();
        Self { child, said }
    }

    fn handler(&self) -> u32 {
        *children_of(self.child.id()).first().expect("a handler")
    }

    fn setting(&self, name: &str) -> Option<String> {
        let environment = std::fs::read(format!("/proc/{}/environ", self.handler())).unwrap();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        environment.split('\0').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_environment_wins_over_local_settings_and_those_over_defaults() {
    let repository = Repository::new();
    let values = r#"{"Values": {"WINDLASS_LEASE_SECONDS": "11", "WINDLASS_MAX_CRASHES": "7", "WINDLASS_STORAGE": "account",
                                "WINDLASS_AUTH": "dev_bypass", "AZURE_ARM_ENDPOINT": "https://management.example"}}"#;
    repository.write("local.settings.json", values);
    let up = Up::start(repository.up(&[]).env("WINDLASS_LEASE_SECONDS", "12"));
    let setting = |name| up.setting(name).unwrap_or_default();
    assert_eq!(setting("WINDLASS_LEASE_SECONDS"), "12", "the environment");
    assert_eq!(setting("WINDLASS_MAX_CRASHES"), "7", "the file");
    assert_eq!(setting("WINDLASS_AUTH"), "dev_bypass", "the file over a default");
    assert_eq!(setting("AZURE_FUNCTIONS_ENVIRONMENT"), "Development", "a default");
    assert_eq!(setting("WINDLASS_STORAGE"), "embedded", "what --storage says wins over all");
    assert!(setting("AZURE_ARM_ENDPOINT").starts_with("http://127.0.0.1:"), "and so does the simulated Azure");
}

#[test]
fn everything_that_it_keeps_is_below_its_data_folder() {
    let repository = Repository::new();
    let before = names(repository.0.path());
    let up = Up::start(&mut repository.up(&["--data", "kept"]));
    assert!(up.said.iter().any(|line| line.contains("kept")), "{:?}", up.said);
    let mut after = names(repository.0.path());
    after.retain(|name| !before.contains(name));
    assert_eq!(after, ["kept"]);
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A zombie is dead.
fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn until_dead(pid: u32) {
    let begun = Instant::now();
    while is_alive(pid) {
        assert!(begun.elapsed() < PATIENCE, "the handler lives on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn told_to_stop_it_ends_well_and_its_handler_with_it() {
    for signal in ["-TERM", "-INT"] {
        let mut up = Up::start(&mut Repository::new().up(&[]));
        let handler = up.handler();
        assert!(Command::new("kill").args([signal, &up.child.id().to_string()]).status().unwrap().success());
        assert_eq!(up.child.wait().unwrap().code(), Some(0), "{signal}");
        assert!(!is_alive(handler), "{signal}");
    }
}

#[test]
fn killed_without_a_word_it_leaves_no_handler_behind() {
    let mut up = Up::start(&mut Repository::new().up(&[]));
    let handler = up.handler();
    up.child.kill().unwrap();
    up.child.wait().unwrap();
    until_dead(handler);
}
