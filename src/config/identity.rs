//! Who the product itself is when it talks to Azure.

use std::path::PathBuf;

use super::mode::Mode;
use super::reader::Reader;
use super::setting::{Kind, Setting};

pub const CLIENT_ID: Setting = Setting::new(
    "AZURE_CLIENT_ID",
    Kind::Guid,
    "The client id of the user-assigned identity that deploys; the system-assigned one if unset.",
)
.required("with `AZURE_FEDERATED_TOKEN_FILE`");

pub const TENANT_ID: Setting =
    Setting::new("AZURE_TENANT_ID", Kind::Guid, "The tenant of the identity; of use with a federated token file only.")
        .required("with `AZURE_FEDERATED_TOKEN_FILE`");

pub const IDENTITY_ENDPOINT: Setting = Setting::new(
    "IDENTITY_ENDPOINT",
    Kind::Url,
    "Where a managed identity gets its tokens. Set by Azure; its presence selects the managed identity.",
);

pub const FEDERATED_TOKEN_FILE: Setting = Setting::new(
    "AZURE_FEDERATED_TOKEN_FILE",
    Kind::Path,
    "The token of a workload identity. Set by its webhook; its presence selects the workload identity.",
);

/// The credential to use for Azure's APIs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IdentityConfig {
    /// `AZURE_CLIENT_ID`
    Managed { client_id: Option<String> },
    /// `AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_FEDERATED_TOKEN_FILE`
    Workload { client_id: String, tenant_id: String, token_file: PathBuf },
    /// Whoever is signed in to the developer's tools.
    Developer,
}

pub(super) fn load(reader: &mut Reader<'_>, mode: Mode) -> Option<IdentityConfig> {
    let (client_id, tenant_id) = (reader.guid(&CLIENT_ID), reader.guid(&TENANT_ID));
    let token_file = reader.text(&FEDERATED_TOKEN_FILE);
    if reader.is_set(&IDENTITY_ENDPOINT) {
        return Some(IdentityConfig::Managed { client_id });
    }
    match token_file {
        Some(file) => {
            for setting in [&CLIENT_ID, &TENANT_ID] {
                if !reader.is_set(setting) {
                    reader.wrong(setting, "set it, because AZURE_FEDERATED_TOKEN_FILE asks for a workload identity");
                }
            }
            Some(IdentityConfig::Workload { client_id: client_id?, tenant_id: tenant_id?, token_file: file.into() })
        }
        None if mode == Mode::Development => Some(IdentityConfig::Developer),
        None => Some(IdentityConfig::Managed { client_id }),
    }
}
