//! The handler as a process: how it refuses to start, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for. Never reached unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The handler with these settings and no others.
fn handler(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command.env_clear().envs(settings.iter().copied()).stdin(Stdio::null());
    command
}

/// Ends badly and at once, with these words on stderr.
fn refused(settings: &[(&str, &str)], words: &[&str]) -> Output {
    let output = handler(settings).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // 0 is never started again by the host, and 200 always.
    assert!(output.status.code().is_some_and(|code| code != 0 && code != 200), "{}: {said}", output.status);
    for word in words {
        assert!(said.contains(word), "no '{word}' in: {said}");
    }
    output
}

/// Settings that do, and the port in them.
fn development(data: &Path) -> (u16, Vec<(String, String)>) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let settings = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".to_owned()),
        ("WINDLASS_STORAGE", "embedded".to_owned()),
        ("WINDLASS_DATA", data.display().to_string()),
    ];
    (port, settings.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn ask(port: u16, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_up(port: u16) -> bool {
    ask(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Looks again and again.
fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what} never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends with the test, however that goes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn everything_that_is_wrong_with_the_settings_is_told_at_once() {
    let output = refused(
        &[
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "70000"),
            ("AzureWebJobsStorage__accountName", "NOT AN ACCOUNT"),
            ("AZURE_CLOUD", "moon"),
            ("WINDLASS_LEASE_SECONDS", "soon"),
            ("UPGRADE_ADMIN_OIDS", "ada"),
        ],
        &[
            "FUNCTIONS_CUSTOMHANDLER_PORT is '70000'",
            "AzureWebJobsStorage__accountName",
            "AZURE_CLOUD is 'moon'",
            "WINDLASS_LEASE_SECONDS is 'soon'",
            "UPGRADE_ADMIN_OIDS",
        ],
    );
    assert!(output.stdout.is_empty(), "the host takes stdout for information");
}

#[test]
fn settings_that_contradict_one_another_and_slips_are_told_with_what_to_do() {
    let lines = [
        ["AzureWebJobsStorage__accountName is set beside AzureWebJobsStorage", "unset AzureWebJobsStorage"],
        ["WINDLASS_AUTH_TENANT_ID is not set", "WINDLASS_AUTH names entra"],
        ["WINDLASS_AUTH_AUDIENCE is not set", "WINDLASS_AUTH names entra"],
        ["PLATFORM_SUBSCRIPTION_ID is not set", "PLATFORM_CONTAINER_APP is set"],
        ["PLATFORM_RESOURCE_GROUP is not set", "PLATFORM_CONTAINER_APP is set"],
        ["UPGRADE_STRATEGY is 'bluegreen'", "did you mean blue_green?"],
        ["UPGRADE_KEEP_IMAGES is '0'", "1 to 1000"],
        ["WINDLASS_AUTH_TENENT_ID is set, but there is no such setting", "did you mean WINDLASS_AUTH_TENANT_ID?"],
        ["PLATFROM_RESOURCE_GROUP is set, but there is no such setting", "did you mean PLATFORM_RESOURCE_GROUP?"],
    ];
    let output = refused(
        &[
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "7"),
            ("AzureWebJobsStorage", "AccountName=a;AccountKey=a2V5"),
            ("AzureWebJobsStorage__accountName", "account1"),
            ("WINDLASS_AUTH", "entra"),
            ("WINDLASS_AUTH_TENENT_ID", "11111111-2222-3333-4444-555555555555"),
            ("PLATFORM_CONTAINER_APP", "platform"),
            ("PLATFROM_RESOURCE_GROUP", "platform"),
            ("UPGRADE_STRATEGY", "bluegreen"),
            ("UPGRADE_KEEP_IMAGES", "0"),
        ],
        &[],
    );
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for words in lines {
        assert!(said.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?} in {said}");
    }
    assert_eq!(said.lines().count(), lines.len(), "{said}");
}

#[test]
fn a_key_vault_reference_that_was_not_resolved_never_passes_for_the_secret() {
    let fixed = [("FUNCTIONS_CUSTOMHANDLER_PORT", "7"), ("AzureWebJobsStorage", "AccountName=a;AccountKey=a2V5")];
    let token = |text| [("UPGRADE_GIT_TOKEN", text), ("UPGRADE_GIT_REMOTE", "https://git.example/platform")];
    let uri = "@Microsoft.KeyVault(SecretUri=https://vault1.vault.azure.net/secrets/git-token/)";
    let names = "@Microsoft.KeyVault(VaultName=vault1;SecretName=git-token)";
    let who = ["UPGRADE_GIT_TOKEN", "vault 'vault1'", "secret 'git-token'"];
    for text in [uri, names] {
        let given = [&fixed[..], &token(text)].concat();
        refused(&given, &[&who[..], &["Key Vault Secrets User", "keyVaultReferenceIdentity"]].concat());
        let local = [&given[..], &[("AZURE_FUNCTIONS_ENVIRONMENT", "Development")]].concat();
        refused(&local, &[&who[..], &["az keyvault secret show --vault-name vault1 --name git-token"]].concat());
    }
    let storage = [("FUNCTIONS_CUSTOMHANDLER_PORT", "7"), ("AzureWebJobsStorage", names)];
    let output = refused(&storage, &["AzureWebJobsStorage is a Key Vault reference"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1, "and nothing else is wrong with it");
    let pasted = [&fixed[..], &token("@Microsoft.KeyVault(VaultName=vault1;SecretName=pl4nted/+)")].concat();
    let output = refused(&pasted, &["UPGRADE_GIT_TOKEN is a Key Vault reference that cannot be read"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("pl4nted"));
}

#[test]
fn started_by_hand_it_says_who_should_start_it() {
    refused(&[], &["FUNCTIONS_CUSTOMHANDLER_PORT is not set", "Functions host"]);
}

#[test]
fn the_development_bypass_outside_development_refuses_to_start_and_names_its_setting() {
    let storage = ("AzureWebJobsStorage", "AccountName=a;AccountKey=a2V5");
    for mode in ["Production", "Staging", "development2", ""] {
        refused(
            &[
                ("FUNCTIONS_CUSTOMHANDLER_PORT", "7"),
                ("AZURE_FUNCTIONS_ENVIRONMENT", mode),
                ("WINDLASS_AUTH", "entra,dev_bypass"),
                ("WINDLASS_AUTH_TENANT_ID", "11111111-2222-3333-4444-555555555555"),
                ("WINDLASS_AUTH_AUDIENCE", "api://windlass"),
                storage,
            ],
            &["WINDLASS_AUTH", "dev_bypass", "AZURE_FUNCTIONS_ENVIRONMENT=Development"],
        );
    }
}

#[test]
fn a_secret_that_does_not_fit_is_not_repeated() {
    let output = refused(
        &[
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "7"),
            ("AzureWebJobsStorage", "AccountName=a;AccountKey=pl4nted%"),
            ("UPGRADE_GIT_REMOTE", "https://user:pl4nted@git.example/platform"),
        ],
        &["UPGRADE_GIT_REMOTE"],
    );
    assert!(!String::from_utf8_lossy(&output.stderr).contains("pl4nted"));
}

#[test]
fn a_taken_port_is_named() {
    let data = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (_, mut settings) = development(data.path());
    settings.push(("FUNCTIONS_CUSTOMHANDLER_PORT".into(), port.clone()));
    refused(&borrowed(&settings), &[&port, "cannot be listened to"]);
}

#[test]
fn storage_that_cannot_be_opened_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (_, settings) = development(&file.path().join("below-a-file"));
    refused(&borrowed(&settings), &["storage", "below-a-file"]);
    let port = ("FUNCTIONS_CUSTOMHANDLER_PORT", "7");
    refused(&[port, ("AzureWebJobsStorage", "AccountName=a;AccountKey=%%")], &["storage", "AccountKey"]);
}

#[test]
fn it_ends_when_its_host_has_died_without_a_word() {
    let data = tempfile::tempdir().unwrap();
    let (port, settings) = development(data.path());
    let script = format!("{} & echo $!; wait", env!("CARGO_BIN_EXE_windlass"));
    let mut host = Running(
        Command::new("sh")
            .args(["-c", &script])
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(host.0.stdout.take().unwrap()).lines();
    let pid: u32 = lines.next().unwrap().unwrap().trim().parse().unwrap();
    until("the handler's first answer", || is_up(port));
    // What it says is read by nobody from here on, as it was by the host.
    drop((lines, host.0.stderr.take()));
    host.0.kill().unwrap();
    host.0.wait().unwrap();
    until("the handler's end", || !is_alive(pid));
}

/// A zombie is dead.
fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn it_goes_on_when_nobody_reads_what_it_says() {
    let data = tempfile::tempdir().unwrap();
    let (port, settings) = development(data.path());
    let mut child = handler(&borrowed(&settings))
        .env("WINDLASS_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A line that is written from here on breaks the pipe.
    drop((child.stdout.take(), child.stderr.take()));
    let mut handler = Running(child);
    until("the handler's first answer", || is_up(port));
    let body = "no envelope";
    let invocation = format!(
        "POST /probe_build HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Azure-Functions-Host/4.1037.0.0\r\n\
         Transfer-Encoding: chunked\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let answer = ask(port, &invocation).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(is_up(port));
    assert!(handler.0.try_wait().unwrap().is_none(), "it ended");
}
