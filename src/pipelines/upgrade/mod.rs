//! `upgrade`: the platform's own upgrade to a released version, from the git tag to a revision that serves, and the way
//! back; `rollback`: that way back by call.
//!
//! `fetching` comes first because everything after it is named by the commit that the tag points to; `building` turns
//! that commit into one image for each component, all at the same time. Only then is somebody asked to agree
//! (`approving`), because only then nothing else is left to wait for; `patching` stores what was before the app is
//! touched; `rolling-out` touches it. `validating` and `confirming` are skipped where one revision replaces the other.
//! `rolling-back` is last, so that it lies behind every phase that it may have to undo.

mod build;
mod building;
mod container_apps;
pub mod discovery;
mod fetching;
mod images;
pub mod ports;
mod readiness;
mod resume;
pub mod retention;
pub mod rollout;
mod settings;
mod source;
mod spec;
mod state;
mod steps;
mod store;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::azure::container_apps::ContainerApp;
use crate::engine::{Phase, PhaseError, Pipeline, Timer};
use crate::model::{Failure, Scope};
use rollout::plan::Asked;
use rollout::{Approving, Confirming, Patching, RollingBack, RollingOut, Validating};

pub use crate::git::{BadVersion, Sha, Version};
pub use container_apps::AzureApps;
pub use images::RegistryImages;
pub use readiness::HttpReadiness;
pub use settings::RolloutSettings;
pub use source::GitSource;
pub use spec::{ROLLBACK, SPEC};
pub use state::{Build, BuildStatus, RollbackInput, UpgradeInput, UpgradeState};
pub use store::RegistryStore;

/// The platform is one thing: its upgrades never overlap.
pub fn scope() -> Scope {
    Scope::new("platform")
}

/// The log of a component's build.
pub fn build_log(component: &str) -> String {
    format!("build-{component}")
}

/// One image of the platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    pub name: String,
    /// The repository in the registry.
    pub image: String,
    /// Path of the Dockerfile, from the root of the git repository.
    pub dockerfile: String,
    /// The directory that the build sees; empty for the whole repository.
    pub context: String,
}

/// What the pipelines work with.
#[derive(Clone)]
pub struct Upgrade {
    pub components: Vec<Component>,
    pub source: Arc<dyn ports::Source>,
    pub images: Arc<dyn ports::Images>,
    pub store: Arc<dyn ports::ImageStore>,
    pub apps: Arc<dyn ports::Apps>,
    pub readiness: Arc<dyn ports::Readiness>,
    /// The pause between two looks at the builds while they are young; it grows as they age.
    pub poll: Duration,
    pub rollout: RolloutSettings,
}

impl Upgrade {
    /// The input in the terms of a plan.
    pub fn asked(&self, input: &UpgradeInput) -> Result<Asked, PhaseError> {
        let version = Version::parse(&input.target_version)
            .map_err(|error| PhaseError::fatal("invalid_version", format!("target_version: {error}")))?;
        Ok(Asked {
            version,
            sha: input.target_sha.as_deref().and_then(Sha::parse),
            strategy: input.strategy.unwrap_or(self.rollout.strategy),
            allow_downgrade: input.allow_downgrade,
            confirm_major: input.confirm_major,
        })
    }

    /// Whether a failure of a changed app is answered by going back. Somebody who stops a rollout wants it undone.
    fn goes_back(&self, why: &Failure) -> bool {
        // What somebody else has made of the app is not ours to undo.
        if why.code == rollout::CHANGED {
            return false;
        }
        self.rollout.auto_rollback || matches!(why.code.as_str(), "cancelled" | rollout::rolling_back::REQUESTED)
    }

    /// The body of a change of `app`.
    fn change_of(&self, app: &ContainerApp, properties: Value) -> Value {
        let mut body = serde_json::json!({"properties": properties});
        // Some versions of the service do not do without.
        if let Some(fields) = body.as_object_mut().filter(|_| !app.location.is_empty()) {
            fields.insert("location".to_owned(), Value::String(app.location.clone()));
        }
        body
    }
}

pub fn pipeline(upgrade: &Arc<Upgrade>) -> Pipeline {
    let up = || Arc::clone(upgrade);
    let work: Vec<Arc<dyn Phase>> = vec![
        Arc::new(fetching::Fetching { upgrade: up() }),
        Arc::new(building::Building { upgrade: up() }),
        Arc::new(Approving { upgrade: up() }),
        Arc::new(Patching { upgrade: up() }),
        Arc::new(RollingOut { upgrade: up() }),
        Arc::new(Validating { upgrade: up() }),
        Arc::new(Confirming { upgrade: up() }),
        Arc::new(RollingBack { upgrade: up() }),
    ];
    let timers: Vec<Arc<dyn Timer>> = vec![Arc::new(discovery::CheckTimer { upgrade: up() })];
    Pipeline { spec: &SPEC, work, timers, resume: Some(resume::resume) }
}

pub fn rollback(upgrade: &Arc<Upgrade>) -> Pipeline {
    let work: Vec<Arc<dyn Phase>> = vec![Arc::new(RollingBack { upgrade: Arc::clone(upgrade) })];
    Pipeline { spec: &ROLLBACK, work, timers: Vec::new(), resume: None }
}
