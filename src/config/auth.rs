//! Who may establish a caller's identity. Nobody, unless told.

use super::mode::Mode;
use super::reader::{Reader, one_of};
use super::setting::{Kind, Setting};

pub const SOURCES: Setting = Setting::new(
    "WINDLASS_AUTH",
    Kind::List,
    "The sources that may say who calls: `entra` (bearer tokens), `easyauth` (the platform's principal header; only with App \
     Service authentication switched on), `dev_bypass` (Development only). Unset: nobody may call protected routes.",
);

pub const TENANT: Setting =
    Setting::new("WINDLASS_AUTH_TENANT_ID", Kind::Guid, "The tenant that callers must belong to.")
        .required("by `entra` and `easyauth`");

pub const AUDIENCES: Setting = Setting::new(
    "WINDLASS_AUTH_AUDIENCE",
    Kind::List,
    "The audiences of accepted tokens: the API's client id, its application id URI, or both.",
)
.required("by `entra`");

pub const CLIENTS: Setting = Setting::new(
    "WINDLASS_AUTH_CLIENT_IDS",
    Kind::GuidList,
    "The client applications (azp or appid) whose tokens are accepted; all of the tenant if unset.",
);

pub const BYPASS_OID: Setting = Setting::new(
    "WINDLASS_DEV_BYPASS_OID",
    Kind::Guid,
    "The object id of the caller that the development bypass makes up.",
)
.or("00000000-0000-0000-0000-000000000001");

pub const BYPASS_ROLES: Setting = Setting::new(
    "WINDLASS_DEV_BYPASS_ROLES",
    Kind::List,
    "The roles of the caller that the development bypass makes up.",
)
.or("UpgradeAdmin");

const KNOWN: &[&str] = &["entra", "easyauth", "dev_bypass"];

/// Each source is on only if it is here. The default is none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuthConfig {
    pub entra: Option<EntraConfig>,
    pub easyauth: Option<EasyAuthConfig>,
    pub dev_bypass: Option<DevBypass>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntraConfig {
    /// `WINDLASS_AUTH_TENANT_ID`, in lower case
    pub tenant_id: String,
    /// `WINDLASS_AUTH_AUDIENCE`, at least one
    pub audiences: Vec<String>,
    /// `WINDLASS_AUTH_CLIENT_IDS`, in lower case; empty: any client
    pub client_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EasyAuthConfig {
    /// `WINDLASS_AUTH_TENANT_ID`; `None`: whom the platform lets through
    pub tenant_id: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DevBypass {
    /// `WINDLASS_DEV_BYPASS_OID`
    pub oid: String,
    /// `WINDLASS_DEV_BYPASS_ROLES`
    pub roles: Vec<String>,
}

pub(super) fn load(reader: &mut Reader<'_>, mode: Mode) -> Option<AuthConfig> {
    let sources = reader.list(&SOURCES);
    let named = |word: &str| sources.iter().any(|source| source.eq_ignore_ascii_case(word));
    let (entra, easyauth, bypass) = (named("entra"), named("easyauth"), named("dev_bypass"));
    let known = |source: &str| KNOWN.iter().any(|word| source.eq_ignore_ascii_case(word));
    if let Some(unknown) = sources.iter().find(|source| !known(source)) {
        reader.wrong(&SOURCES, &one_of(unknown, KNOWN).replace("one of", "one or more of"));
    }
    if bypass && mode == Mode::Production {
        reader.fault(
            &SOURCES,
            "names dev_bypass in production",
            "take it out; it lets everybody in and works only with AZURE_FUNCTIONS_ENVIRONMENT=Development",
        );
    }

    let tenant_id = reader.guid(&TENANT);
    let audiences = reader.list(&AUDIENCES);
    let client_ids = reader.guids(&CLIENTS);
    let oid = reader.guid(&BYPASS_OID);
    let roles = reader.list(&BYPASS_ROLES);
    if entra {
        for (setting, missing) in [(&TENANT, !reader.is_set(&TENANT)), (&AUDIENCES, audiences.is_empty())] {
            if missing {
                reader.wrong(setting, "set it, because WINDLASS_AUTH names entra");
            }
        }
    }
    let of_tokens: Vec<_> = [&AUDIENCES, &CLIENTS].into_iter().filter(|setting| reader.is_set(setting)).collect();
    for setting in of_tokens.into_iter().filter(|_| !entra) {
        reader.warn(format!("{} is set, but WINDLASS_AUTH does not name entra: it does nothing", setting.name));
    }
    if easyauth && !reader.is_set(&TENANT) {
        reader.wrong(
            &TENANT,
            "set it, because WINDLASS_AUTH names easyauth: users of other tenants may sign in to the same app",
        );
    }
    Some(AuthConfig {
        entra: match entra {
            true => Some(EntraConfig { tenant_id: tenant_id.clone()?, audiences, client_ids }),
            false => None,
        },
        easyauth: easyauth.then_some(EasyAuthConfig { tenant_id }),
        dev_bypass: match bypass {
            true => Some(DevBypass { oid: oid?, roles }),
            false => None,
        },
    })
}
