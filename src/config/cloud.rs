//! Which Azure this is.

use url::Url;

use super::mode::Mode;
use super::reader::Reader;
use super::setting::{Kind, Setting};

pub const CLOUD: Setting = Setting::new(
    "AZURE_CLOUD",
    Kind::Choice(&["public", "usgovernment", "china", "custom"]),
    "The cloud to deploy to. `custom` takes its endpoints from the three settings below.",
)
.or("public");

pub const ARM_ENDPOINT: Setting =
    Setting::new("AZURE_ARM_ENDPOINT", Kind::Url, "The Resource Manager of a custom cloud.").required(BY_CUSTOM);

pub const AUTHORITY_HOST: Setting =
    Setting::new("AZURE_AUTHORITY_HOST", Kind::Url, "The Entra authority of a custom cloud.").required(BY_CUSTOM);

pub const STORAGE_SUFFIX: Setting = Setting::new(
    "AZURE_STORAGE_SUFFIX",
    Kind::Text,
    "What follows `<account>.blob.` in the storage addresses of a custom cloud, for example core.windows.net.",
)
.required(BY_CUSTOM);

const BY_CUSTOM: &str = "by `custom`";

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CloudConfig {
    /// `AZURE_ARM_ENDPOINT`
    pub arm_endpoint: Url,
    /// The resource for which tokens to `arm_endpoint` are asked, without a trailing slash.
    pub arm_audience: String,
    /// `AZURE_AUTHORITY_HOST`
    pub authority_host: Url,
    /// `AZURE_STORAGE_SUFFIX`
    pub storage_suffix: String,
}

pub(super) fn load(reader: &mut Reader<'_>, mode: Mode) -> Option<CloudConfig> {
    let cloud = reader.choice(&CLOUD);
    let arm = reader.endpoint(&ARM_ENDPOINT, mode);
    let authority = reader.endpoint(&AUTHORITY_HOST, mode);
    let suffix = reader.parsed(&STORAGE_SUFFIX, "give a domain name, with a port if need be", storage_suffix);
    let cloud = cloud?;
    if cloud != "custom" {
        // Workload identities bring an authority with them.
        for setting in [&ARM_ENDPOINT, &STORAGE_SUFFIX] {
            if reader.is_set(setting) {
                let problem = format!("is set, but AZURE_CLOUD is '{cloud}', which has its own");
                reader.fault(setting, &problem, "unset it, or set AZURE_CLOUD to custom");
            }
        }
    }
    match cloud {
        "usgovernment" => {
            known("https://management.usgovcloudapi.net", "https://login.microsoftonline.us", "core.usgovcloudapi.net")
        }
        "china" => {
            known("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn", "core.chinacloudapi.cn")
        }
        "custom" => {
            for setting in [&ARM_ENDPOINT, &AUTHORITY_HOST, &STORAGE_SUFFIX] {
                if !reader.is_set(setting) {
                    reader.wrong(setting, "set it, because AZURE_CLOUD is 'custom'");
                }
            }
            let (arm, authority, suffix) = (arm?, authority?, suffix?);
            let audience = arm.as_str().trim_end_matches('/').to_owned();
            Some(CloudConfig {
                arm_endpoint: arm,
                arm_audience: audience,
                authority_host: authority,
                storage_suffix: suffix,
            })
        }
        _ => known("https://management.azure.com", "https://login.microsoftonline.com", "core.windows.net"),
    }
}

/// Endpoints as Microsoft documents them for its own clouds.
fn known(arm: &str, authority: &str, suffix: &str) -> Option<CloudConfig> {
    Some(CloudConfig {
        arm_endpoint: Url::parse(arm).ok()?,
        arm_audience: arm.to_owned(),
        authority_host: Url::parse(authority).ok()?,
        storage_suffix: suffix.to_owned(),
    })
}

fn storage_suffix(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':');
    (text.len() <= 253 && text.chars().all(fits)).then(|| text.to_owned())
}
