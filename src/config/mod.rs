//! The environment, read once: each concern declares its settings beside the code that reads them.
//!
//! [`Config::load`] reports everything that is wrong in one go, so that a deployment is put right once.

mod address;
mod auth;
mod cloud;
mod component;
mod engine;
mod environment;
mod fault;
mod functions;
mod identity;
mod insights;
mod mode;
mod nearest;
mod reader;
mod reference;
mod rollout;
mod secret;
mod server;
mod setting;
mod slips;
mod storage;
mod telemetry;
mod upgrade;
mod vault;

#[cfg(test)]
mod tests;

pub use auth::{AuthConfig, DevBypass, EasyAuthConfig, EntraConfig};
pub use cloud::CloudConfig;
pub use component::Component;
pub use engine::EngineConfig;
pub use environment::{Environment, ProcessEnvironment};
pub use fault::{ConfigFaults, Fault};
pub use functions::SwitchedOff;
pub use identity::IdentityConfig;
pub use insights::{InsightsConfig, SignIn};
pub use mode::Mode;
pub use nearest::nearest;
pub use rollout::{RolloutConfig, StrategyConfig};
pub use secret::Secret;
pub use server::ServerConfig;
pub use setting::{Kind, Setting};
pub use storage::StorageConfig;
pub use telemetry::{LogFormat, OtlpConfig, TelemetryConfig};
pub use upgrade::UpgradeConfig;

use reader::Reader;

/// Every setting there is, in the order of a reference. The loaders read these very values.
pub const SETTINGS: &[Setting] = &[
    server::PORT,
    server::ENVIRONMENT,
    server::INSTANCE,
    storage::STORAGE,
    storage::DATA,
    storage::CONNECTION,
    storage::ACCOUNT,
    storage::CLIENT_ID,
    storage::TABLE,
    cloud::CLOUD,
    cloud::ARM_ENDPOINT,
    cloud::AUTHORITY_HOST,
    cloud::STORAGE_SUFFIX,
    identity::CLIENT_ID,
    identity::TENANT_ID,
    identity::IDENTITY_ENDPOINT,
    identity::FEDERATED_TOKEN_FILE,
    auth::SOURCES,
    auth::TENANT,
    auth::AUDIENCES,
    auth::CLIENTS,
    auth::BYPASS_OID,
    auth::BYPASS_ROLES,
    upgrade::GIT_REMOTE,
    upgrade::GIT_TOKEN,
    upgrade::SUBSCRIPTION,
    upgrade::RESOURCE_GROUP,
    upgrade::REGISTRY,
    upgrade::ADMINS,
    upgrade::COMPONENTS,
    upgrade::WORKSPACE,
    rollout::GIT_HOSTS,
    rollout::CONTAINER_APP,
    rollout::STRATEGY,
    rollout::AUTO_ROLLBACK,
    rollout::ROLLOUT_SECONDS,
    rollout::READINESS_URL,
    rollout::VALIDATE_SECONDS,
    rollout::CONFIRM_SECONDS,
    rollout::VERDICT_MINUTES,
    rollout::APPROVAL,
    rollout::APPROVAL_MINUTES,
    rollout::ROLLBACK_HOURS,
    rollout::KEEP_IMAGES,
    rollout::KEEP_REVISIONS,
    engine::LEASE,
    engine::SWEEP_GRACE,
    engine::MAX_CRASHES,
    telemetry::FILTER,
    telemetry::FORMAT,
    insights::CONNECTION,
    insights::AUTHENTICATION,
    telemetry::OTLP_ENDPOINT,
    telemetry::OTLP_HEADERS,
    telemetry::SERVICE_NAME,
    telemetry::FLUSH_MS,
];

/// All settings, checked. Holds secrets only as [`Secret`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    pub server: ServerConfig,
    pub storage: StorageConfig,
    /// `WINDLASS_TABLE`
    pub table: String,
    pub cloud: CloudConfig,
    pub identity: IdentityConfig,
    pub auth: AuthConfig,
    pub upgrade: UpgradeConfig,
    pub rollout: RolloutConfig,
    pub engine: EngineConfig,
    pub telemetry: TelemetryConfig,
    /// `AzureWebJobs.<function>.Disabled`
    pub switched_off: Vec<SwitchedOff>,
    /// What works, but is likely not what was meant. To be logged once at the start.
    pub warnings: Vec<String>,
}

impl Config {
    /// # Errors
    /// Every setting that is missing or wrong.
    pub fn load(environment: &dyn Environment) -> Result<Self, ConfigFaults> {
        let mut reader = Reader::new(environment);
        let reader = &mut reader;
        let mode = server::mode(reader);
        vault::refuse(environment, reader, mode);
        let server = server::load(reader, mode);
        let storage = storage::load(reader, mode);
        let table = storage::table(reader);
        let cloud = cloud::load(reader, mode);
        let identity = identity::load(reader, mode);
        let auth = auth::load(reader, mode);
        let upgrade = upgrade::load(reader, mode);
        let rollout = rollout::load(reader, mode);
        rollout::check_git_host(
            reader,
            &upgrade::GIT_REMOTE,
            upgrade.as_ref().and_then(|upgrade| upgrade.git_remote.as_ref()),
        );
        upgrade::check_place(reader, &[&upgrade::REGISTRY, &rollout::CONTAINER_APP]);
        let engine = engine::load(reader);
        let telemetry = telemetry::load(reader);
        let switched_off = functions::load(environment, reader);
        slips::warn_of_names(environment, reader);

        let (faults, warnings) = (std::mem::take(&mut reader.faults), std::mem::take(&mut reader.warnings));
        if !faults.is_empty() {
            return Err(ConfigFaults { faults, warnings });
        }
        let complete = || {
            Some(Self {
                server: server?,
                storage: storage?,
                table: table?,
                cloud: cloud?,
                identity: identity?,
                auth: auth?,
                upgrade: upgrade?,
                rollout: rollout?,
                engine: engine?,
                telemetry: telemetry?,
                switched_off,
                warnings,
            })
        };
        // A loader that gives nothing has left a fault.
        complete().ok_or_else(ConfigFaults::default)
    }
}
