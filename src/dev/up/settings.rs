//! The handler's environment. What wins over what, the strongest first: what this command decides (storage, simulated
//! Azure, the demo's repository), the process's own environment, local.settings.json, the defaults of a developer's machine.

use std::collections::BTreeMap;

use anyhow::Context;

use super::UpOptions;
use crate::dev::host::local_settings;

pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    pub fn read(options: &UpOptions) -> anyhow::Result<Self> {
        let workspaces = options.data.join("workspaces").display().to_string();
        let defaults = [("AZURE_FUNCTIONS_ENVIRONMENT", "Development"), ("UPGRADE_WORKSPACE_DIR", &workspaces)];
        let mut values: BTreeMap<String, String> =
            defaults.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = options.root.join("local.settings.json");
        if file.exists() {
            values.extend(local_settings(&file).with_context(|| file.display().to_string())?);
        }
        for (name, value) in &mut values {
            if let Ok(set) = std::env::var(name) {
                *value = set;
            }
        }
        let mut settings = Self { values };
        settings.force(storage(options));
        Ok(settings)
    }

    /// Sets values that nothing else may override.
    pub fn force(&mut self, pairs: impl IntoIterator<Item = (String, String)>) {
        self.values.extend(pairs);
    }

    /// Sets a value that nobody has chosen otherwise.
    pub fn prefer(&mut self, name: &str, value: &str) {
        if !self.has(name) {
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Lets everybody in who says so, and callers with tokens where it is known whose tokens these are: the simulated
    /// Azure tells, a real one does not.
    pub fn prefer_callers(&mut self) {
        let known = self.has("WINDLASS_AUTH_TENANT_ID") && self.has("WINDLASS_AUTH_AUDIENCE");
        self.prefer("WINDLASS_AUTH", if known { "entra,dev_bypass" } else { "dev_bypass" });
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What the handler will see, the process's own environment included.
    pub fn get(&self, name: &str) -> Option<String> {
        let found = self.values.get(name).cloned().or_else(|| std::env::var(name).ok());
        found.filter(|value| !value.is_empty())
    }

    pub fn pairs(&self) -> Vec<(String, String)> {
        self.values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

fn storage(options: &UpOptions) -> Vec<(String, String)> {
    if options.storage == "embedded" {
        let directory = options.data.join("storage").display().to_string();
        vec![("WINDLASS_STORAGE".into(), "embedded".into()), ("WINDLASS_DATA".into(), directory)]
    } else {
        vec![("WINDLASS_STORAGE".into(), String::new()), ("AzureWebJobsStorage".into(), options.storage.clone())]
    }
}
