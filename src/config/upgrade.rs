//! What the platform upgrade builds, from where and for whom.

use std::path::PathBuf;

use url::Url;

use super::component::{Component, components};
use super::mode::Mode;
use super::reader::Reader;
use super::secret::Secret;
use super::setting::{Kind, Setting};

pub const GIT_REMOTE: Setting = Setting::new(
    "UPGRADE_GIT_REMOTE",
    Kind::Url,
    "The repository whose tags are the platform's versions. Unset: upgrades fail with `remote_unset`.",
)
.secret();

pub const GIT_TOKEN: Setting =
    Setting::new("UPGRADE_GIT_TOKEN", Kind::Text, "The token with which a private repository is read.").secret();

pub const SUBSCRIPTION: Setting =
    Setting::new("PLATFORM_SUBSCRIPTION_ID", Kind::Guid, "The subscription that the platform runs in.")
        .required(BY_WHAT_IS_THERE);

pub const RESOURCE_GROUP: Setting =
    Setting::new("PLATFORM_RESOURCE_GROUP", Kind::Text, "The resource group that the platform runs in.")
        .required(BY_WHAT_IS_THERE);

const BY_WHAT_IS_THERE: &str = "with `PLATFORM_ACR_NAME` or `PLATFORM_CONTAINER_APP`";

pub const REGISTRY: Setting = Setting::new(
    "PLATFORM_ACR_NAME",
    Kind::Text,
    "The name of the Container Registry that builds and keeps the platform's images.",
);

pub const ADMINS: Setting = Setting::new(
    "UPGRADE_ADMIN_OIDS",
    Kind::GuidList,
    "The object ids of people who may upgrade without the role UpgradeAdmin.",
);

pub const COMPONENTS: Setting = Setting::new(
    "UPGRADE_COMPONENTS",
    Kind::Json,
    "The images to build: a JSON array of {name, dockerfile, context, image}. `name` alone will do: the Dockerfile is then \
     <name>/Dockerfile, the context the repository's root, the image elb-<name>.",
)
.or(r#"[{"name":"api"},{"name":"frontend"},{"name":"terminal"}]"#);

pub const WORKSPACE: Setting = Setting::new(
    "UPGRADE_WORKSPACE_DIR",
    Kind::Path,
    "Where sources are fetched to; one directory a run, removed afterwards. `windlass` in the system's temporary directory if unset.",
);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpgradeConfig {
    /// `UPGRADE_GIT_REMOTE`; holds no credentials
    pub git_remote: Option<Url>,
    /// `UPGRADE_GIT_TOKEN`
    pub git_token: Option<Secret>,
    /// `PLATFORM_SUBSCRIPTION_ID`
    pub subscription_id: Option<String>,
    /// `PLATFORM_RESOURCE_GROUP`
    pub resource_group: Option<String>,
    /// `PLATFORM_ACR_NAME`
    pub acr_name: Option<String>,
    /// `UPGRADE_ADMIN_OIDS`, in lower case
    pub admin_oids: Vec<String>,
    /// `UPGRADE_COMPONENTS`, at least one, names unique
    pub components: Vec<Component>,
    /// `UPGRADE_WORKSPACE_DIR`
    pub workspace_dir: PathBuf,
}

pub(super) fn load(reader: &mut Reader<'_>, mode: Mode) -> Option<UpgradeConfig> {
    let git_remote = reader.endpoint(&GIT_REMOTE, mode);
    let git_token = reader.secret(&GIT_TOKEN);
    if git_token.is_some() && !reader.is_set(&GIT_REMOTE) {
        reader.warn(format!("{} is set without {}: it does nothing", GIT_TOKEN.name, GIT_REMOTE.name));
    }
    let subscription_id = reader.guid(&SUBSCRIPTION);
    let resource_group = reader.parsed(
        &RESOURCE_GROUP,
        "give the name of a resource group: 1 to 90 letters, digits and -_.() without a dot at the end",
        |text| {
            let fits = text.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
            (fits && text.chars().count() <= 90 && !text.ends_with('.')).then(|| text.to_owned())
        },
    );
    let acr_name =
        reader.parsed(&REGISTRY, "give the registry's name without its domain: 5 to 50 letters and digits", |text| {
            let fits = (5..=50).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
            fits.then(|| text.to_owned())
        });
    let admin_oids = reader.guids(&ADMINS);
    let components = components(reader, &COMPONENTS);
    let workspace_dir = reader.text(&WORKSPACE).map_or_else(|| std::env::temp_dir().join("windlass"), PathBuf::from);
    Some(UpgradeConfig {
        git_remote,
        git_token,
        subscription_id,
        resource_group,
        acr_name,
        admin_oids,
        components: components?,
        workspace_dir,
    })
}

/// Names in a subscription and a group mean nothing without these.
pub(super) fn check_place(reader: &mut Reader<'_>, named: &[&Setting]) {
    let Some(named) = named.iter().find(|setting| reader.is_set(setting)) else { return };
    for setting in [&SUBSCRIPTION, &RESOURCE_GROUP] {
        if !reader.is_set(setting) {
            reader.wrong(setting, &format!("set it, because {} is set", named.name));
        }
    }
}
