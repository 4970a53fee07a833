//! Where an account is and what opens it.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// The account that every emulator has, with the key that its documentation prints.
const EMULATOR: &str = "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;\
    AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;\
    BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;\
    QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;\
    TableEndpoint=http://127.0.0.1:10002/devstoreaccount1";

/// The three endpoints of one account, and a key or an identity.
#[derive(Clone)]
pub struct Connection {
    pub(super) account: String,
    pub(super) blob: Url,
    pub(super) queue: Url,
    pub(super) table: Url,
    pub(super) access: Access,
}

#[derive(Clone)]
pub(super) enum Access {
    Key(Secret),
    Identity(Arc<dyn TokenCredential>),
}

/// What is wrong with a connection; never shows the key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadConnection {
    #[error("the storage connection string has no {0}")]
    Missing(&'static str),
    #[error(
        "the storage connection string has a shared access signature but no AccountKey; use the account's key, or an identity"
    )]
    SignatureOnly,
    #[error("part {0} of the storage connection string is not of the form Name=Value")]
    NotAPair(usize),
    #[error("the AccountKey of the storage connection string is not base64")]
    BadKey,
    #[error("the {0} endpoint of the storage account is not an http or https address without a query")]
    BadEndpoint(&'static str),
    #[error("'{0}' cannot name a storage account: it has 3 to 24 small letters and digits")]
    BadAccount(String),
}

impl Connection {
    /// Reads `UseDevelopmentStorage=true` or a connection string as the portal shows it, with `AccountName`,
    /// `AccountKey` and either explicit endpoints or an `EndpointSuffix` (`core.windows.net` if there is none).
    pub fn parse(text: &str) -> Result<Self, BadConnection> {
        let parts = Parts::read(text)?;
        if parts.get("UseDevelopmentStorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::parse(EMULATOR);
        }
        let account = parts.get("AccountName").ok_or(BadConnection::Missing("AccountName"))?;
        let key = match (parts.get("AccountKey"), parts.get("SharedAccessSignature")) {
            (Some(key), _) => key,
            (None, Some(_)) => return Err(BadConnection::SignatureOnly),
            (None, None) => return Err(BadConnection::Missing("AccountKey")),
        };
        if STANDARD.decode(key).is_err() {
            return Err(BadConnection::BadKey);
        }
        let protocol = parts.get("DefaultEndpointsProtocol").unwrap_or("https");
        let suffix = parts.get("EndpointSuffix").unwrap_or("core.windows.net");
        let endpoint = |name: &str, service| match parts.get(name) {
            Some(explicit) => endpoint(explicit, service),
            None => endpoint(&format!("{protocol}://{account}.{service}.{suffix}"), service),
        };
        Ok(Self {
            account: account.to_owned(),
            blob: endpoint("BlobEndpoint", "blob")?,
            queue: endpoint("QueueEndpoint", "queue")?,
            table: endpoint("TableEndpoint", "table")?,
            access: Access::Key(Secret::new(key.to_owned())),
        })
    }

    /// An account that is opened by an identity's tokens. `suffix` is the cloud's, for example `core.windows.net`.
    pub fn identity(account: &str, suffix: &str, credential: Arc<dyn TokenCredential>) -> Result<Self, BadConnection> {
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !(3..=24).contains(&account.len()) || !account.chars().all(named) {
            return Err(BadConnection::BadAccount(account.to_owned()));
        }
        let endpoint = |service| endpoint(&format!("https://{account}.{service}.{suffix}"), service);
        Ok(Self {
            account: account.to_owned(),
            blob: endpoint("blob")?,
            queue: endpoint("queue")?,
            table: endpoint("table")?,
            access: Access::Identity(credential),
        })
    }

    pub(super) fn credential(&self) -> Option<Arc<dyn TokenCredential>> {
        match &self.access {
            Access::Key(_) => None,
            Access::Identity(credential) => Some(Arc::clone(credential)),
        }
    }
}

fn endpoint(text: &str, service: &'static str) -> Result<Url, BadConnection> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none())
        .ok_or(BadConnection::BadEndpoint(service))
}

/// `Name=Value` pairs between semicolons; a value may hold `=` itself.
struct Parts<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Result<Self, BadConnection> {
        let parts = text.split(';').map(str::trim).enumerate().filter(|(_, part)| !part.is_empty());
        parts
            .map(|(index, part)| part.split_once('=').ok_or(BadConnection::NotAPair(index + 1)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let access = match &self.access {
            Access::Key(_) => "key",
            Access::Identity(_) => "identity",
        };
        f.debug_struct("Connection")
            .field("account", &self.account)
            .field("blob", &self.blob.as_str())
            .field("queue", &self.queue.as_str())
            .field("table", &self.table.as_str())
            .field("access", &access)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "cGw0bnRlZC1rZXk=";

    #[test]
    fn a_portals_string_gives_the_endpoints_of_its_cloud() {
        let text = format!(
            "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
        );
        let connection = Connection::parse(&text).unwrap();
        assert_eq!(connection.queue.as_str(), "https://acct.queue.core.chinacloudapi.cn/");
        assert_eq!(connection.table.as_str(), "https://acct.table.core.chinacloudapi.cn/");
        let plain = Connection::parse(&format!("AccountName=acct;AccountKey={KEY}")).unwrap();
        assert_eq!(plain.blob.as_str(), "https://acct.blob.core.windows.net/");
    }

    #[test]
    fn explicit_endpoints_win_and_the_emulator_has_known_ones() {
        let text = format!("AccountName=acct;AccountKey={KEY};TableEndpoint=http://localhost:7/acct");
        assert_eq!(Connection::parse(&text).unwrap().table.as_str(), "http://localhost:7/acct");
        let emulator = Connection::parse("UseDevelopmentStorage=true").unwrap();
        assert_eq!(emulator.queue.as_str(), "http://127.0.0.1:10001/devstoreaccount1");
    }

    #[test]
    fn a_bad_string_says_what_is_missing() {
        for (text, error) in [
            (format!("AccountKey={KEY}"), BadConnection::Missing("AccountName")),
            ("AccountName=acct".to_owned(), BadConnection::Missing("AccountKey")),
            ("AccountName=acct;AccountKey=".to_owned(), BadConnection::Missing("AccountKey")),
            (format!("AccountName=acct;SharedAccessSignature=sig={KEY}"), BadConnection::SignatureOnly),
            (format!("AccountName=acct;{}", KEY.trim_end_matches('=')), BadConnection::NotAPair(2)),
            ("AccountName=acct;AccountKey=!".to_owned(), BadConnection::BadKey),
            (format!("AccountName=acct;AccountKey={KEY};BlobEndpoint=ftp://x"), BadConnection::BadEndpoint("blob")),
        ] {
            assert_eq!(Connection::parse(&text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn neither_debug_nor_an_error_shows_the_key() {
        let connection = Connection::parse(&format!("AccountName=acct;AccountKey={KEY}")).unwrap();
        assert!(!format!("{connection:?}").contains(KEY));
        for text in [format!("AccountName=acct;AccountKey={KEY}!"), format!("AccountName=a;{KEY}x")] {
            let error = Connection::parse(&text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains(KEY.trim_end_matches('=')), "{error}");
        }
    }
}
