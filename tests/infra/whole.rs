use std::path::Path;
use std::process::{Command, Output};

use crate::copy::{Copy, root};

fn infra(root: &Path, option: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windlass-dev")).current_dir(root).args(["infra", option]).output().unwrap()
}

#[test]
fn the_infrastructure_is_whole_and_what_the_code_needs() {
    let output = infra(&root(), "--check");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).unwrap();
    for line in [
        "infra/main.bicep",
        "Microsoft.Web/sites@2025-05-01: 1 made, 0 existing",
        "1 tableServices/tables: windlass",
        "upgrade-rolling-out-poison",
        "AZURE_CLIENT_ID",
        "AcrDelete on registry for upgrade",
    ] {
        assert!(report.contains(line), "{line} is not in\n{report}");
    }
}

#[test]
fn a_fault_ends_the_command_and_stands_in_what_it_says() {
    let copy = Copy::new();
    copy.replace("infra/app/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true");
    let output = infra(copy.root(), "--check");
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("account must say properties.allowSharedKeyAccess: false"), "{said}");
    assert!(output.stdout.is_empty(), "there is no report of what is wrong");
}

#[test]
fn a_table_of_parameters_that_is_behind_is_named_and_written_anew() {
    let copy = Copy::new();
    copy.replace("infra/main.bicep", "param dailyCapGb int = 1", "param dailyCapGb int = 2");
    let faults = copy.faults();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(
        faults[0].contains("infra/README.md: its table of parameters is not what infra/main.bicep says"),
        "{faults:?}"
    );
    assert!(infra(copy.root(), "--write").status.success());
    assert_eq!(copy.faults(), Vec::<String>::new());
}

#[test]
fn azd_takes_the_service_for_a_function_app_that_it_does_not_build() {
    let azd = std::fs::read_to_string(root().join("azure.yaml")).unwrap();
    let lines: Vec<_> = azd.lines().map(str::trim).collect();
    for line in ["windlass:", "host: function", "language: custom"] {
        assert!(lines.contains(&line), "azure.yaml does not say {line}");
    }
}
