//! What the handler would say about its settings, without starting it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};

use super::host::values_of;
use crate::app::functions;
use crate::config::{Config, Environment, ProcessEnvironment};

/// One line each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// Why the handler would not start.
    pub faults: Vec<String>,
    pub warnings: Vec<String>,
}

/// The `Values` of a `local.settings.json`, or without one what this process has. What the Functions host or the local
/// tools would add is added, where it is not there.
pub fn check(file: Option<&Path>) -> anyhow::Result<Verdict> {
    let mut given: BTreeMap<String, String> = match file {
        Some(file) if !file.is_file() => bail!("there is no file {}", file.display()),
        Some(file) => values_of(file).context("the settings cannot be read")?.into_iter().collect(),
        None => {
            let named = |name: String| ProcessEnvironment.get(&name).map(|value| (name, value));
            ProcessEnvironment.names().into_iter().filter_map(named).collect()
        }
    };
    let mut add = |name: &str, value: &str| {
        given.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    };
    add("FUNCTIONS_CUSTOMHANDLER_PORT", "1");
    if file.is_some() {
        add("AZURE_FUNCTIONS_ENVIRONMENT", "Development");
    }
    Ok(match Config::load(&given) {
        Ok(config) => {
            let about_functions = functions::warnings(&config);
            Verdict { faults: Vec::new(), warnings: config.warnings.into_iter().chain(about_functions).collect() }
        }
        Err(wrong) => {
            Verdict { faults: wrong.faults.iter().map(ToString::to_string).collect(), warnings: wrong.warnings }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(values: &str) -> anyhow::Result<Verdict> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("local.settings.json");
        std::fs::write(&file, format!("{{\"IsEncrypted\": false, \"Values\": {{{values}}}}}")).unwrap();
        check(Some(&file))
    }

    #[test]
    fn a_file_is_judged_as_the_handler_would_and_by_itself() {
        let good =
            checked(r#""AzureWebJobsStorage": "UseDevelopmentStorage=true", "WINDLASS_AUTH": "dev_bypass""#).unwrap();
        assert_eq!(good, Verdict::default());
        let bad = checked(
            r#""WINDLASS_LEASE_SECONDS": 1, "AzureWebJobsStorage": "@Microsoft.KeyVault(VaultName=v;SecretName=s)",
               "WINDLASS_TABEL": "x""#,
        );
        let bad = bad.unwrap();
        assert_eq!((bad.faults.len(), bad.warnings.len()), (2, 1), "{bad:?}");
        let off = checked(r#""AzureWebJobsStorage": "a=b", "AzureWebJobs.probe_biuld.Disabled": true"#).unwrap();
        assert!(off.faults.is_empty() && off.warnings[0].contains("probe_build"), "{off:?}");
    }

    #[test]
    fn a_file_that_is_missing_or_none_is_an_error() {
        assert!(check(Some(Path::new("/nonexistent.json"))).unwrap_err().to_string().contains("/nonexistent.json"));
        assert!(checked("no JSON").is_err());
    }
}
