//! What the simulated subscription looks like.

use std::time::Duration;

use serde::Deserialize;

/// How many revisions of an app may be active.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionsMode {
    #[default]
    Single,
    Multiple,
}

impl RevisionsMode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Single => "Single",
            Self::Multiple => "Multiple",
        }
    }
}

/// Ids and names are what the simulator knows; everything else is "not found".
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// 0 takes any free port.
    pub port: u16,
    pub tenant_id: String,
    pub subscription_id: String,
    pub resource_group: String,
    /// 5 to 50 letters and digits; the login server is the simulator's own `127.0.0.1:<port>`.
    pub registry: String,
    /// The app that is there from the start.
    pub container_app: String,
    pub revisions_mode: RevisionsMode,
    /// The `aud` of tokens that callers of the product bring.
    pub audience: String,
    /// The time of one step of a build or a rollout. Zero lets a build go one step further with every look at its
    /// run or log, and a rollout with every call to its app or operation.
    pub pace: Duration,
    /// Decides which build logs lag behind their run.
    pub seed: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            port: 0,
            tenant_id: "5d1a0e7c-0f0e-4b53-9b3c-6f3a5c1d2e01".into(),
            subscription_id: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
            resource_group: "windlass-dev".into(),
            registry: "windlassdev".into(),
            container_app: "windlass-platform".into(),
            revisions_mode: RevisionsMode::Single,
            audience: "3f2b7a44-91c5-4f0a-8d2e-0b6f5a7c9d10".into(),
            pace: Duration::ZERO,
            seed: 1,
        }
    }
}
