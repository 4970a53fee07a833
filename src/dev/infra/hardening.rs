//! What must be said so that nobody gets in by a key, a password or plain text.

use super::Infrastructure;
use super::bicep::{Expression, Resource};

/// Type of a resource, path of a property, what it is to be.
const WANTED: &[(&str, &str, Want)] = &[
    ("Microsoft.Storage/storageAccounts", "properties.allowSharedKeyAccess", Want::Bool(false)),
    ("Microsoft.Storage/storageAccounts", "properties.allowBlobPublicAccess", Want::Bool(false)),
    ("Microsoft.Storage/storageAccounts", "properties.supportsHttpsTrafficOnly", Want::Bool(true)),
    ("Microsoft.Storage/storageAccounts", "properties.minimumTlsVersion", Want::Text("TLS1_2")),
    ("Microsoft.Storage/storageAccounts/blobServices/containers", "properties.publicAccess", Want::Text("None")),
    ("Microsoft.Insights/components", "properties.DisableLocalAuth", Want::Bool(true)),
    ("Microsoft.Web/serverfarms", "sku.name", Want::Text("FC1")),
    ("Microsoft.Web/sites", "properties.httpsOnly", Want::Bool(true)),
    ("Microsoft.Web/sites", "properties.siteConfig.minTlsVersion", Want::Text("1.2")),
    ("Microsoft.Web/sites", "properties.functionAppConfig.runtime.name", Want::Text("custom")),
    ("Microsoft.Web/sites", "identity.type", Want::Text("UserAssigned")),
    (
        "Microsoft.Web/sites",
        "properties.functionAppConfig.deployment.storage.authentication.type",
        Want::Text("UserAssignedIdentity"),
    ),
    ("basicPublishingCredentialsPolicies", "properties.allow", Want::Bool(false)),
];

/// What nobody may say, and why not.
const UNWANTED: &[(&str, &str, &str)] = &[(
    "Microsoft.Web/sites",
    "properties.siteConfig.ftpsState",
    "Flex Consumption refuses it in some regions; the policy ftp turns FTP's credentials off",
)];

/// Each of these is there.
const POLICIES: &[&str] = &["ftp", "scm"];

/// Functions that bring out a key.
const KEYS: &[&str] = &["listKeys", "listAccountSas", "listServiceSas", "getSecret"];

enum Want {
    Bool(bool),
    Text(&'static str),
}

impl Want {
    fn expression(&self) -> Expression {
        match self {
            Self::Bool(value) => Expression::Bool(*value),
            Self::Text(text) => Expression::text(text),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Text(text) => format!("'{text}'"),
        }
    }
}

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let mut faults = Vec::new();
    for (kind, path, want) in WANTED {
        let made: Vec<_> = made(infrastructure, kind).collect();
        if made.is_empty() {
            faults.push(format!("no file makes a {kind}"));
        }
        let wrong = made.iter().filter(|(_, one)| one.declared.body.at(path) != Some(&want.expression()));
        faults.extend(
            wrong.map(|(file, one)| format!("{file}: {} must say {path}: {}", one.declared.name, want.shown())),
        );
    }
    for (kind, path, why) in UNWANTED {
        let said = made(infrastructure, kind).filter(|(_, one)| one.declared.body.at(path).is_some());
        faults.extend(said.map(|(file, one)| format!("{file}: {} must not say {path}: {why}", one.declared.name)));
    }
    for policy in POLICIES {
        let named = |one: &Resource| one.declared.body.property("name") == Some(&Expression::text(policy));
        if !made(infrastructure, "basicPublishingCredentialsPolicies").any(|(_, one)| named(one)) {
            faults.push(format!("no file turns the publishing credentials of {policy} off"));
        }
    }
    for file in &infrastructure.files {
        for expression in file.expressions().into_iter().flat_map(Expression::all) {
            let Expression::Call(function, _) = expression else { continue };
            let (Expression::Name(name) | Expression::Member(_, name)) = function.as_ref() else { continue };
            if KEYS.contains(&name.as_str()) {
                faults.push(format!("{}: {name}(…) brings a key out; use the identity", file.path));
            }
        }
    }
    faults
}

fn made<'a>(infrastructure: &'a Infrastructure, kind: &str) -> impl Iterator<Item = (&'a str, &'a Resource)> {
    infrastructure.files.iter().flat_map(move |file| {
        let resources: Vec<_> = file.of_type(kind).filter(|one| !one.existing).collect();
        resources.into_iter().map(|one| (file.path.as_str(), one))
    })
}
