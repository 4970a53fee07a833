//! Which Azure this is. Source: the endpoints that Microsoft documents for each sovereign cloud.

use url::{Host, Url};

/// Where the parts of one Azure live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cloud {
    /// The Resource Manager; no call with its token goes to another origin.
    pub arm_endpoint: Url,
    /// The scope of tokens for the Resource Manager.
    pub arm_scope: String,
    /// Where tokens come from.
    pub authority_host: Url,
    /// What follows `<account>.blob.` in a storage account's host.
    pub storage_suffix: String,
}

/// An endpoint that must not be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{setting} must be an https URL without credentials and query (http only for a loopback address)")]
pub struct BadCloud {
    /// What the endpoint is, in words for the one who set it.
    pub setting: &'static str,
}

impl Cloud {
    pub fn public() -> Result<Self, BadCloud> {
        Self::custom("https://management.azure.com", "https://login.microsoftonline.com", "core.windows.net")
    }

    pub fn us_government() -> Result<Self, BadCloud> {
        Self::custom(
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "core.usgovcloudapi.net",
        )
    }

    pub fn china() -> Result<Self, BadCloud> {
        Self::custom("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn", "core.chinacloudapi.cn")
    }

    /// An Azure Stack, an air-gapped cloud, or a simulated Azure on loopback.
    pub fn custom(arm_endpoint: &str, authority_host: &str, storage_suffix: &str) -> Result<Self, BadCloud> {
        let arm_endpoint = endpoint(arm_endpoint, "the Resource Manager's endpoint")?;
        let authority_host = endpoint(authority_host, "the authority host")?;
        let arm_scope = format!("{}/.default", arm_endpoint.as_str().trim_end_matches('/'));
        Ok(Self { arm_endpoint, arm_scope, authority_host, storage_suffix: storage_suffix.to_owned() })
    }

    /// The scope of tokens that a registry takes in exchange for its own. In the public cloud a registry may be set to
    /// refuse the Resource Manager's; for any other cloud only those are documented.
    pub(super) fn registry_scope(&self) -> String {
        match self.arm_endpoint.host_str() {
            Some("management.azure.com") => "https://containerregistry.azure.net/.default".to_owned(),
            _ => self.arm_scope.clone(),
        }
    }
}

fn endpoint(text: &str, setting: &'static str) -> Result<Url, BadCloud> {
    let url = Url::parse(text).map_err(|_| BadCloud { setting })?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if plain && is_confidential(&url) { Ok(url) } else { Err(BadCloud { setting }) }
}

/// Whether what is sent to `url` cannot be read on the way: https, or a wire that does not leave the machine.
pub(super) fn is_confidential(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    }
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_has_endpoints_of_its_own() {
        let clouds = [Cloud::public(), Cloud::us_government(), Cloud::china()].map(Result::unwrap);
        assert_eq!(clouds[0].arm_scope, "https://management.azure.com/.default");
        assert_eq!(clouds[1].arm_scope, "https://management.usgovcloudapi.net/.default");
        assert_eq!(clouds[2].authority_host.as_str(), "https://login.chinacloudapi.cn/");
        assert_eq!(clouds[0].registry_scope(), "https://containerregistry.azure.net/.default");
        assert_eq!(clouds[1].registry_scope(), clouds[1].arm_scope);
    }

    #[test]
    fn a_custom_cloud_may_be_plain_http_only_on_loopback() {
        for ok in ["http://127.0.0.1:4000", "http://localhost:4000", "http://[::1]:4000", "https://arm.local"] {
            assert!(Cloud::custom(ok, "https://login.local", "local").is_ok(), "{ok}");
        }
        for bad in ["http://arm.local", "http://10.0.0.1", "ftp://127.0.0.1", "nonsense", "https://u:p@arm.local"] {
            assert!(Cloud::custom(bad, "https://login.local", "local").is_err(), "{bad}");
        }
    }
}
