//! Deployments to try: what is given to them, and the app settings that they come to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::bicep::Expression;
use super::evaluate::Scope;
use super::{FUNCTION, Infrastructure};
use crate::config::{Kind, SETTINGS, Setting};

/// What the host reads and the handler need not know, and why it is set.
pub const OF_THE_HOST: &[(&str, &str)] = &[
    ("AzureWebJobsStorage__credential", "the host signs in to the storage account with the identity"),
    (
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "where the host sends its own telemetry; no credential, since the component takes tokens alone",
    ),
    ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "the host sends its own telemetry as the identity"),
];

/// What a deployment does not set, and why not.
pub const NOT_SET: &[(&str, &str)] = &[
    ("FUNCTIONS_CUSTOMHANDLER_PORT", "the host makes it anew at every start"),
    ("AZURE_FUNCTIONS_ENVIRONMENT", "unset is production"),
    ("WEBSITE_INSTANCE_ID", "Azure sets it"),
    ("WINDLASS_STORAGE", "the account is the default"),
    ("WINDLASS_DATA", "the account is the storage"),
    ("AzureWebJobsStorage", "it would hold a key"),
    ("AZURE_ARM_ENDPOINT", "the cloud is one that Resource Manager names"),
    ("AZURE_AUTHORITY_HOST", "the cloud is one that Resource Manager names"),
    ("AZURE_STORAGE_SUFFIX", "the cloud is one that Resource Manager names"),
    ("IDENTITY_ENDPOINT", "Azure sets it"),
    ("AZURE_FEDERATED_TOKEN_FILE", "the identity is a managed one"),
    ("AZURE_TENANT_ID", "the identity is a managed one"),
    ("WINDLASS_DEV_BYPASS_OID", "a developer's machine alone has the bypass"),
    ("WINDLASS_DEV_BYPASS_ROLES", "a developer's machine alone has the bypass"),
];

const GUID: &str = "11111111-2222-3333-4444-555555555555";
pub const REFERENCE: &str = "@Microsoft.KeyVault(SecretUri=";
pub const IN_THE_CLEAR: &str = "something in the clear";
/// Settings that nobody may take from the app.
const OWN: &[&str] = &["AZURE_CLIENT_ID", "AzureWebJobsStorage__accountName"];
/// What the plan refuses, so that a deployment would end with it.
const REFUSED: &[&str] = &["FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION"];
/// Ways to the account: the app has its own, and the host would mix them.
const STORAGE_PREFIX: &str = "AzureWebJobsStorage";
const OTHER_WAY: &str = "AzureWebJobsStorage__queueServiceUri";

pub type AppSettings = BTreeMap<String, String>;

/// What somebody gives to a deployment.
#[derive(Default)]
pub struct Given {
    pub pipelines: Vec<&'static str>,
    pub settings: BTreeMap<String, String>,
    pub secret_uris: BTreeMap<String, String>,
    /// Whether callers and platform are named.
    pub whole: bool,
}

/// The app settings of that deployment.
pub fn evaluate(infrastructure: &Infrastructure, given: &Given) -> Result<AppSettings, String> {
    let scope = scope(infrastructure, given);
    let site = scope.file.of_type("Microsoft.Web/sites").next();
    let settings = site.and_then(|site| site.declared.body.at("properties.siteConfig.appSettings"));
    let list = list_of(&scope, settings)?;
    let mut found = AppSettings::new();
    for entry in &list {
        let of = |name: &str| entry[name].as_str().map(str::to_owned);
        let (Some(name), Some(value)) = (of("name"), of("value")) else {
            return Err(format!("{FUNCTION}: an app setting is a name and a text, not {entry}"));
        };
        found.insert(name, value);
    }
    Ok(found)
}

/// The names that the deployment says it left out.
pub fn left_out(infrastructure: &Infrastructure, given: &Given) -> Result<BTreeSet<String>, String> {
    let scope = scope(infrastructure, given);
    let output = scope.file.outputs.iter().find(|output| output.name == "leftOut");
    let output = output.ok_or_else(|| format!("{FUNCTION}: it does not put out leftOut"))?;
    Ok(scope.texts(&output.value)?.into_iter().collect())
}

fn scope<'a>(infrastructure: &'a Infrastructure, given: &Given) -> Scope<'a> {
    let file = infrastructure.file(FUNCTION);
    let named = |text: &str| json!(if given.whole { text } else { "" });
    let values = [
        ("pipelines", json!(given.pipelines)),
        ("settings", json!(given.settings)),
        ("secretUris", json!(given.secret_uris)),
        ("platformSubscriptionId", json!(GUID)),
        ("platformResourceGroup", json!("the-platform")),
        ("platformRegistry", named("theregistry")),
        ("platformContainerApp", named("the-app")),
        ("authTenantId", named(GUID)),
        ("authAudience", named("api://windlass")),
        ("authClientIds", named("")),
        ("account", json!({"name": "theaccount"})),
        ("identity", json!({"properties": {"clientId": GUID}})),
        (
            "insights",
            json!({"properties": {"ConnectionString": "InstrumentationKey=11111111-2222-3333-4444-555555555555;IngestionEndpoint=https://telemetry.example/"}}),
        ),
    ];
    let given = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Scope { root: &infrastructure.root, file, given }
}

fn list_of(scope: &Scope<'_>, settings: Option<&Expression>) -> Result<Vec<Value>, String> {
    let value = scope.value(settings.ok_or_else(|| format!("{FUNCTION}: no site has app settings"))?)?;
    value.as_array().cloned().ok_or_else(|| format!("{FUNCTION}: the app settings are no list"))
}

/// Every setting that can be given, secrets by their references, and something that is no reference.
pub fn everything(pipelines: Vec<&'static str>) -> Given {
    let given = SETTINGS.iter().filter(|setting| is_to_be_given(setting));
    let (secret, plain): (Vec<_>, Vec<_>) = given.partition(|setting| setting.secret);
    let uri = |setting: &&Setting| (setting.name.to_owned(), format!("https://vault.example/secrets/{}", setting.name));
    let mut secret_uris: BTreeMap<_, _> = secret.iter().map(uri).collect();
    secret_uris.insert("WINDLASS_LOG".to_owned(), IN_THE_CLEAR.to_owned());
    let settings = plain.iter().map(|setting| (setting.name.to_owned(), sample(setting))).collect();
    Given { pipelines, settings, secret_uris, whole: true }
}

/// What is not to get through: secrets in the clear, what the plan refuses, and another account in place of the app's own.
pub fn slips(pipelines: Vec<&'static str>) -> Given {
    let secret = SETTINGS.iter().filter(|setting| setting.secret && is_to_be_given(setting));
    let names = secret.map(|setting| setting.name).chain(OWN.iter().chain(REFUSED).copied()).chain([OTHER_WAY]);
    let settings = names.map(|name| (name.to_owned(), IN_THE_CLEAR.to_owned())).collect();
    let uri = "https://vault.example/secrets/account".to_owned();
    Given { pipelines, settings, secret_uris: BTreeMap::from([(OTHER_WAY.to_owned(), uri)]), whole: false }
}

/// Why nobody gives that setting, if nobody does.
pub fn not_to_be_given(name: &str) -> Option<&'static str> {
    match name {
        _ if REFUSED.contains(&name) => Some("the plan refuses it"),
        _ if name.starts_with(STORAGE_PREFIX) => Some("the app has its own account"),
        _ => None,
    }
}

fn is_to_be_given(setting: &Setting) -> bool {
    !NOT_SET.iter().chain(OF_THE_HOST).any(|(name, _)| *name == setting.name)
}

/// A text that the setting takes.
pub fn sample(setting: &Setting) -> String {
    match setting.kind {
        _ if setting.default.is_some() => setting.default.unwrap_or_default().to_owned(),
        Kind::Integer { min, .. } => min.to_string(),
        Kind::Choice(words) => words.first().copied().unwrap_or_default().to_owned(),
        Kind::Guid | Kind::GuidList => GUID.to_owned(),
        Kind::Url => "https://some.example/".to_owned(),
        Kind::Path => "somewhere".to_owned(),
        Kind::Json => "{}".to_owned(),
        Kind::Text | Kind::List => match setting.name {
            "UPGRADE_READINESS_URL" => "https://{fqdn}/ready".to_owned(),
            name if name.ends_with("_HEADERS") => "name=value".to_owned(),
            _ => "some.example".to_owned(),
        },
    }
}
