//! Where runs, tickets and logs live.

use std::path::PathBuf;

use super::mode::Mode;
use super::reader::Reader;
use super::secret::Secret;
use super::setting::{Kind, Setting};

pub const STORAGE: Setting = Setting::new(
    "WINDLASS_STORAGE",
    Kind::Choice(&["account", "embedded"]),
    "`account`: the storage account of the function app; `embedded`: a directory of this machine, in Development only.",
)
.or("account");

pub const DATA: Setting =
    Setting::new("WINDLASS_DATA", Kind::Path, "The directory of the embedded storage.").or(".windlass");

pub const CONNECTION: Setting = Setting::new(
    "AzureWebJobsStorage",
    Kind::Text,
    "The connection string of the function app's storage account. Leave it unset to use an identity.",
)
.required("by `account`, unless `AzureWebJobsStorage__accountName` is set")
.secret();

pub const ACCOUNT: Setting = Setting::new(
    "AzureWebJobsStorage__accountName",
    Kind::Text,
    "The name of the function app's storage account, reached with a managed identity.",
)
.required("by `account`, unless `AzureWebJobsStorage` is set");

pub const CLIENT_ID: Setting = Setting::new(
    "AzureWebJobsStorage__clientId",
    Kind::Guid,
    "The client id of the user-assigned identity for storage; the system-assigned one if unset.",
);

pub const TABLE: Setting = Setting::new("WINDLASS_TABLE", Kind::Text, "The table that holds the runs.").or("windlass");

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StorageConfig {
    /// `WINDLASS_DATA`
    Embedded { dir: PathBuf },
    /// `AzureWebJobsStorage`
    ConnectionString(Secret),
    /// `AzureWebJobsStorage__accountName`, `AzureWebJobsStorage__clientId`
    Identity { account: String, client_id: Option<String> },
}

pub(super) fn load(reader: &mut Reader<'_>, mode: Mode) -> Option<StorageConfig> {
    let kind = reader.choice(&STORAGE);
    let dir = reader.text(&DATA);
    let connection = reader.parsed(&CONNECTION, "give a connection string as the Azure portal shows it", |text| {
        text.contains('=').then(|| Secret::new(text))
    });
    let account = reader.parsed(&ACCOUNT, "give the name of a storage account: 3 to 24 of a-z and 0-9", account_name);
    let client_id = reader.guid(&CLIENT_ID);

    if kind? == "embedded" {
        if mode == Mode::Production {
            reader.fault(&STORAGE, "is 'embedded' in production", "unset it and give a storage account");
        }
        return Some(StorageConfig::Embedded { dir: dir?.into() });
    }
    if let Some(connection) = connection {
        for contradicting in
            [&ACCOUNT, &CLIENT_ID].into_iter().filter(|setting| reader.is_set(setting)).collect::<Vec<_>>()
        {
            reader.fault(
                contradicting,
                "is set beside AzureWebJobsStorage",
                "unset AzureWebJobsStorage to use an identity, or unset this to use the connection string",
            );
        }
        return Some(StorageConfig::ConnectionString(connection));
    }
    if !reader.is_set(&CONNECTION) && !reader.is_set(&ACCOUNT) {
        reader.fault(
            &CONNECTION,
            "is not set",
            "set it, or AzureWebJobsStorage__accountName to use an identity, or in Development WINDLASS_STORAGE=embedded",
        );
    }
    Some(StorageConfig::Identity { account: account?, client_id })
}

/// `WINDLASS_TABLE`
pub(super) fn table(reader: &mut Reader<'_>) -> Option<String> {
    reader.parsed(&TABLE, "give a table name: a letter, then 2 to 62 letters and digits", |text| {
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let fits = (3..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        (starts && fits).then(|| text.to_owned())
    })
}

fn account_name(text: &str) -> Option<String> {
    let fits = (3..=24).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    fits.then(|| text.to_owned())
}
