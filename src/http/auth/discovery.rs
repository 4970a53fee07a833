//! What an Entra authority publishes about a tenant: its issuer and its signing keys.
//! Source: OpenID Connect Discovery 1.0, RFC 7517, and Entra's additions to them.

use std::collections::HashMap;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

/// Both documents are some 30 KB at most.
const DOCUMENT_LIMIT: usize = 512 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Hosts of the issuers of v1 tokens. Such a token is signed with the same keys as a v2 token of the tenant.
const V1_ISSUERS: [&str; 2] = ["sts.windows.net", "sts.chinacloudapi.cn"];

/// Where v2 documents have a tenant's id, if they were not asked for by tenant.
const TENANT_TEMPLATES: [&str; 2] = ["{tenantid}", "{tenant}"];

/// One tenant at one authority.
pub(super) struct Discovery {
    client: reqwest::Client,
    authority: Url,
    tenant: String,
}

/// What tokens of the tenant are checked against.
pub(super) struct Discovered {
    /// The v2 issuer as published, and the v1 forms.
    pub issuers: Vec<String>,
    /// By key id; at least one.
    pub keys: HashMap<String, DecodingKey>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DiscoveryError {
    #[error("no answer in {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("the request failed: {0}")]
    Request(#[from] reqwest::Error),
    #[error("the answer was {0}")]
    Status(u16),
    #[error("the answer is larger than {DOCUMENT_LIMIT} bytes")]
    TooLarge,
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the address leads away from the authority's host")]
    LedAway,
    #[error("there is no key that can check an RS256 signature")]
    NoKeys,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: Option<String>,
    kty: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    issuer: Option<String>,
}

impl Discovery {
    /// The authority is https, or this very machine; configuration has seen to that.
    pub fn new(client: reqwest::Client, authority: Url, tenant: String) -> Self {
        Self { client, authority, tenant }
    }

    /// Asks for both documents. Nothing that was known before is touched.
    pub async fn fetch(&self) -> Result<Discovered, DiscoveryError> {
        tokio::time::timeout(PATIENCE, self.documents()).await.map_err(|_| DiscoveryError::TimedOut)?
    }

    async fn documents(&self) -> Result<Discovered, DiscoveryError> {
        let mut address = self.authority.clone();
        let steps = [self.tenant.as_str(), "v2.0", ".well-known", "openid-configuration"];
        address.path_segments_mut().map_err(|()| DiscoveryError::LedAway)?.pop_if_empty().extend(steps);
        let metadata: Metadata = self.document(address).await?;
        let key_set = Url::parse(&metadata.jwks_uri).map_err(|_| DiscoveryError::LedAway)?;
        let set: KeySet = self.document(key_set).await?;

        let mut issuers = vec![self.of_tenant(&metadata.issuer)];
        issuers.extend(V1_ISSUERS.map(|host| format!("https://{host}/{}/", self.tenant)));
        let keys: HashMap<_, _> = set.keys.into_iter().filter_map(|key| self.usable(key, &issuers)).collect();
        if keys.is_empty() { Err(DiscoveryError::NoKeys) } else { Ok(Discovered { issuers, keys }) }
    }

    /// A key for RS256 signatures of this tenant; one whose `issuer` is somebody else's is none.
    fn usable(&self, key: Key, issuers: &[String]) -> Option<(String, DecodingKey)> {
        let fits = key.kty.as_deref() == Some("RSA")
            && key.purpose.is_none_or(|purpose| purpose == "sig")
            && key.alg.is_none_or(|alg| alg == "RS256")
            && key.issuer.is_none_or(|issuer| issuers.contains(&self.of_tenant(&issuer)));
        let decoded = DecodingKey::from_rsa_components(&key.n?, &key.e?).ok()?;
        fits.then_some((key.kid?, decoded))
    }

    fn of_tenant(&self, issuer: &str) -> String {
        TENANT_TEMPLATES.iter().fold(issuer.to_owned(), |issuer, template| issuer.replace(template, &self.tenant))
    }

    async fn document<T: DeserializeOwned>(&self, address: Url) -> Result<T, DiscoveryError> {
        self.stays(&address)?;
        let mut response = self.client.get(address).header(ACCEPT, "application/json").send().await?;
        // The client may have followed a redirect.
        self.stays(response.url())?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(DiscoveryError::Status(response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if bytes.len() + chunk.len() > DOCUMENT_LIMIT {
                return Err(DiscoveryError::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Same scheme, host and port: with https at the authority, a key set over http is out of the question.
    fn stays(&self, address: &Url) -> Result<(), DiscoveryError> {
        if address.origin() == self.authority.origin() { Ok(()) } else { Err(DiscoveryError::LedAway) }
    }
}
