//! `windlass-dev settings --check`, which says what the handler would say.

use std::path::Path;
use std::process::{Command, Output};

fn check(settings: &[(&str, &str)], file: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass-dev"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().envs(settings.iter().copied());
    command.args(["settings", "--check"]).args(file).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_environment_is_judged_in_the_words_of_the_handler() {
    let settings = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "7"),
        ("AzureWebJobsStorage__accountName", "NOT AN ACCOUNT"),
        ("UPGRADE_GIT_TOKEN", "@Microsoft.KeyVault(VaultName=vault1;SecretName=git-token)"),
        ("WINDLASS_LEASE_SECONDS", "soon"),
        ("WINDLASS_TABEL", "x"),
    ];
    let mut handler = Command::new(env!("CARGO_BIN_EXE_windlass"));
    let handler = handler.env_clear().envs(settings).output().unwrap();
    let refusal = String::from_utf8_lossy(&handler.stderr).replacen("windlass cannot run: ", "", 1);
    let output = check(&settings, None);
    assert_eq!(output.status.code(), Some(1));
    let judged: Vec<_> = said(&output).lines().map(|line| line.trim_start_matches("wrong: ").to_owned()).collect();
    assert_eq!(judged, refusal.lines().map(str::to_owned).collect::<Vec<_>>());
    assert!(judged[3].starts_with("warning: WINDLASS_TABEL"), "{judged:?}");
    assert_eq!(judged.len(), 4);
}

#[test]
fn a_file_that_does_passes_with_its_warnings() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("local.settings.sample.json");
    let output = check(&[("WINDLASS_LEASE_SECONDS", "soon")], Some(&sample));
    assert!(output.status.success() && said(&output) == "nothing to put right; warnings: 0\n", "{output:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app-settings.json");
    let values = r#"{"Values": {"AzureWebJobsStorage__accountName": "account1", "AZURE_FUNCTIONS_ENVIRONMENT": "Production",
        "AzureWebJobs.probe_biuld.Disabled": "true"}}"#;
    std::fs::write(&file, values).unwrap();
    let output = check(&[], Some(&file));
    assert!(output.status.success(), "{output:?}");
    assert!(
        said(&output).starts_with("warning: ") && said(&output).contains("did you mean probe_build?"),
        "{output:?}"
    );
}
