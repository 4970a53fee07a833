//! The files that tell of settings, made from their declarations: `local.settings.sample.json` and `docs/settings.md`.

use std::fmt::Write;

use super::host_settings::HOST_SETTINGS;
use crate::config::{Kind, SETTINGS, Setting};

/// Set by the platform, or of use in Azure alone: they have no place among a developer's own settings.
const NOT_LOCAL: &[&str] = &[
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__clientId",
    "FUNCTIONS_CUSTOMHANDLER_PORT",
    "IDENTITY_ENDPOINT",
    "WEBSITE_INSTANCE_ID",
];

/// What a developer's machine wants other than the default.
const LOCAL: &[(&str, &str)] = &[
    ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
    ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
    ("WINDLASS_AUTH", "dev_bypass"),
];

/// The text of `local.settings.sample.json`. An empty value is an unset one.
pub fn sample() -> String {
    let own = SETTINGS.iter().filter(|setting| !NOT_LOCAL.contains(&setting.name));
    let values = own.map(|setting| {
        let local = LOCAL.iter().find(|(name, _)| *name == setting.name).map(|(_, value)| *value);
        (setting.name, local.or(setting.default).unwrap_or_default())
    });
    let lines: Vec<String> = [("FUNCTIONS_WORKER_RUNTIME", "custom")]
        .into_iter()
        .chain(values)
        .map(|(name, value)| format!("    {}: {}", serde_json::json!(name), serde_json::json!(value)))
        .collect();
    format!("{{\n  \"IsEncrypted\": false,\n  \"Values\": {{\n{}\n  }}\n}}\n", lines.join(",\n"))
}

/// What the settings of a file are about, and who works with them.
struct Concern {
    file: &'static str,
    title: &'static str,
    used_in: &'static [&'static str],
}

const fn concern(file: &'static str, title: &'static str, used_in: &'static [&'static str]) -> Concern {
    Concern { file, title, used_in }
}

const CONCERNS: &[Concern] = &[
    concern("src/config/server.rs", "The process", &["src/app.rs", "src/app/clients.rs"]),
    concern("src/config/storage.rs", "Storage", &["src/app/stores.rs", "src/storage/"]),
    concern("src/config/cloud.rs", "Which Azure", &["src/app/clients.rs", "src/azure/", "src/http/auth/"]),
    concern("src/config/identity.rs", "Who Windlass is", &["src/app/clients.rs", "src/azure/credentials.rs"]),
    concern("src/config/auth.rs", "Who may call", &["src/http/auth/"]),
    concern(
        "src/config/upgrade.rs",
        "What is upgraded, and by whom",
        &["src/app/clients.rs", "src/http/upgrade/", "src/pipelines/upgrade/"],
    ),
    concern(
        "src/config/rollout.rs",
        "How it is rolled out, and how long things are kept",
        &["src/app/clients.rs", "src/pipelines/upgrade/rollout/", "src/pipelines/upgrade/retention/"],
    ),
    concern("src/config/engine.rs", "Patience", &["src/app.rs", "src/engine/"]),
    concern("src/config/telemetry.rs", "Logs and telemetry", &["src/app/telemetry/"]),
    concern("src/config/insights.rs", "Application Insights", &["src/app/telemetry/"]),
];

/// The text of `docs/settings.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Settings\n\n\
         Every setting of the handler, read once from its environment when it starts. Whatever is wrong is reported in one\n\
         go, and the handler does not start. An empty text counts as unset. The Functions host passes its own settings on, so\n\
         on Azure these are app settings, and locally they are the `Values` of `local.settings.json`\n\
         (`local.settings.sample.json` is a start). `windlass-dev settings --check` says the same without starting anything.\n\n\
         Names that begin with `WINDLASS_` and mean nothing, and names that look like slips of a setting, are warned of. Any\n\
         setting may be a Key Vault reference on Azure (`@Microsoft.KeyVault(VaultName=<vault>;SecretName=<secret>)`); one that\n\
         the platform has not resolved is a fault. A secret's value is shown nowhere.\n",
    );
    for concern in CONCERNS {
        let used = concern.used_in.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        // Writing to a String does not fail.
        let _ = writeln!(text, "\n## {}\n\nDeclared and read in `{}`; used in {used}.\n", concern.title, concern.file);
        text.push_str("| setting | form | default | required | secret | what it does |\n|---|---|---|---|---|---|\n");
        for setting in SETTINGS.iter().filter(|setting| setting.file == concern.file) {
            let default = setting.default.map(|default| format!("`{default}`")).unwrap_or_default();
            let (required, secret) = (setting.required.unwrap_or_default(), if setting.secret { "yes" } else { "" });
            let about = in_a_table(setting.description);
            let (name, form) = (setting.name, form(setting));
            let _ = writeln!(text, "| `{name}` | {form} | {default} | {required} | {secret} | {about} |");
        }
    }
    text.push_str(
        "\n## Of the host\n\nThese are read by others, in the same environment.\n\n\
         | setting | read by | what it does |\n|---|---|---|\n",
    );
    for setting in HOST_SETTINGS {
        let names = setting.name.split(", ").map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| {names} | {} | {} |", setting.read_by, in_a_table(setting.description));
    }
    text
}

/// Outside of code, angle brackets would be taken for HTML.
fn in_a_table(text: &str) -> String {
    let parts = text.replace('|', "\\|");
    let escape = |(at, part): (usize, &str)| match at % 2 {
        0 => part.replace('<', "&lt;").replace('>', "&gt;"),
        _ => part.to_owned(),
    };
    parts.split('`').enumerate().map(escape).collect::<Vec<_>>().join("`")
}

fn form(setting: &Setting) -> String {
    match setting.kind {
        Kind::Text => "text".to_owned(),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Guid => "GUID".to_owned(),
        Kind::Url => "address".to_owned(),
        Kind::Path => "path".to_owned(),
        Kind::Json => "JSON".to_owned(),
        Kind::List => "texts, with commas".to_owned(),
        Kind::GuidList => "GUIDs, with commas".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::dev::generated::is_up_to_date;
    use std::collections::BTreeMap;

    #[test]
    fn the_sample_has_every_setting_that_a_developer_may_want() {
        is_up_to_date("local.settings.sample.json", &sample());
    }

    #[test]
    fn the_reference_has_every_setting_there_is() {
        is_up_to_date("docs/settings.md", &reference());
    }

    #[test]
    fn a_handler_starts_with_the_sample() {
        let sample: serde_json::Value = serde_json::from_str(&sample()).unwrap();
        let mut values: BTreeMap<String, String> = serde_json::from_value(sample["Values"].clone()).unwrap();
        values.insert("FUNCTIONS_CUSTOMHANDLER_PORT".to_owned(), "4000".to_owned());
        let config = Config::load(&values).unwrap();
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn nothing_is_left_out_or_set_that_does_not_exist() {
        for name in NOT_LOCAL.iter().chain(LOCAL.iter().map(|(name, _)| name)) {
            assert!(SETTINGS.iter().any(|setting| setting.name == *name), "{name}");
        }
    }

    #[test]
    fn every_setting_has_its_place_in_the_reference_and_every_place_exists() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for setting in SETTINGS {
            assert!(CONCERNS.iter().any(|concern| concern.file == setting.file), "{}: {}", setting.name, setting.file);
        }
        for path in CONCERNS.iter().flat_map(|concern| concern.used_in.iter().chain([&concern.file])) {
            assert!(root.join(path).exists(), "{path}");
        }
        let names = HOST_SETTINGS.iter().flat_map(|setting| setting.name.split(", "));
        for name in names {
            assert!(SETTINGS.iter().all(|setting| setting.name != name), "{name} is one of the handler's own");
        }
    }
}
