//! References to secrets in a Key Vault. On Azure the platform puts the secret in a reference's place before the process
//! starts; where it could not, the process sees the reference itself, which must never pass for the secret.

use super::SETTINGS;
use super::environment::Environment;
use super::mode::Mode;
use super::reader::Reader;
use super::reference::{Reference, is_reference};
use super::setting::Setting;

/// Every setting whose text is still a reference is a fault, and the only one of that setting.
pub(super) fn refuse(environment: &dyn Environment, reader: &mut Reader<'_>, mode: Mode) {
    let names = environment.names();
    for setting in SETTINGS.iter().filter(|setting| names.iter().any(|name| name == setting.name)) {
        if let Some(text) = environment.get(setting.name).filter(|text| is_reference(text)) {
            refuse_one(reader, setting, Reference::parse(&text), mode);
        }
    }
}

fn refuse_one(reader: &mut Reader<'_>, setting: &Setting, reference: Option<Reference>, mode: Mode) {
    let Some(Reference { vault, secret }) = reference else {
        return reader.unresolved(
            setting,
            "is a Key Vault reference that cannot be read",
            "write @Microsoft.KeyVault(SecretUri=https://<vault>.vault.azure.net/secrets/<secret>) or \
             @Microsoft.KeyVault(VaultName=<vault>;SecretName=<secret>)",
        );
    };
    let of = format!("to secret '{secret}' in vault '{vault}'");
    match mode {
        Mode::Development => reader.unresolved(
            setting,
            &format!("is a Key Vault reference {of}, which nobody resolves on a developer's machine"),
            &format!(
                "give the value itself, which `az keyvault secret show --vault-name {vault} --name {secret} --query value` \
                 tells"
            ),
        ),
        Mode::Production => reader.unresolved(
            setting,
            &format!("is a Key Vault reference {of} that the platform has not resolved"),
            "see that the function app's identity has the role Key Vault Secrets User there, that \
             keyVaultReferenceIdentity names that identity if it is a user-assigned one, that the vault's network lets the \
             app in, and that the secret exists, is enabled and is not empty; the portal shows the cause beside the \
             setting; then restart the app",
        ),
    }
}
