//! Where the handler listens, and whether this is a developer's machine.

use super::mode::Mode;
use super::nearest::nearest;
use super::reader::Reader;
use super::setting::{Kind, Setting};

pub const PORT: Setting = Setting::new(
    "FUNCTIONS_CUSTOMHANDLER_PORT",
    Kind::Integer { min: 1, max: 65_535 },
    "The port on 127.0.0.1 where the Functions host expects the handler; new at every start. Set by the host.",
)
.required("always");

pub const ENVIRONMENT: Setting = Setting::new(
    "AZURE_FUNCTIONS_ENVIRONMENT",
    Kind::Text,
    "`Development` on a developer's machine (set by the local tools); anything else is production.",
)
.or("Production");

pub const INSTANCE: Setting = Setting::new(
    "WEBSITE_INSTANCE_ID",
    Kind::Text,
    "A name for this instance, used in leases and logs. Set by Azure; a random one if unset.",
);

const DEVELOPMENT: &str = "Development";

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// `FUNCTIONS_CUSTOMHANDLER_PORT`
    pub port: u16,
    /// `AZURE_FUNCTIONS_ENVIRONMENT`
    pub mode: Mode,
    /// `WEBSITE_INSTANCE_ID`
    pub instance: Option<String>,
}

/// The mode is read first: other concerns depend on it, also when something else is wrong here.
pub(super) fn mode(reader: &Reader<'_>) -> Mode {
    match reader.text(&ENVIRONMENT) {
        Some(name) if name.eq_ignore_ascii_case(DEVELOPMENT) => Mode::Development,
        _ => Mode::Production,
    }
}

pub(super) fn load(reader: &mut Reader<'_>, mode: Mode) -> Option<ServerConfig> {
    let meant = reader.text(&ENVIRONMENT).filter(|name| nearest(name, [DEVELOPMENT]).is_some());
    if let Some(name) = meant.filter(|_| mode == Mode::Production) {
        let name = name.escape_debug();
        reader.warn(format!("{} is '{name}', which is production; did you mean {DEVELOPMENT}?", ENVIRONMENT.name));
    }
    if !reader.is_set(&PORT) {
        reader.wrong(&PORT, "start this program through the Functions host, or give the port to listen on");
    }
    let port = reader.integer(&PORT).and_then(|port| u16::try_from(port).ok());
    let instance = reader.text(&INSTANCE);
    Some(ServerConfig { port: port?, mode, instance })
}
