//! `upgrade`: the platform's own upgrade to a released version, up to the images that it will run.
//!
//! `fetching` comes first because everything after it is named by the commit that the tag points to; `building` turns
//! that commit into one image for each component, all at the same time.

mod build;
mod building;
mod fetching;
mod images;
pub mod ports;
mod source;
mod state;
mod steps;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{PhaseSpec, Pipeline, PipelineSpec};
use crate::model::{RetryPolicy, Scope};

pub use crate::git::{BadVersion, Sha, Version};
pub use images::RegistryImages;
pub use source::GitSource;
pub use state::{Build, BuildStatus, UpgradeInput, UpgradeState};

const RETRY: RetryPolicy =
    RetryPolicy { initial: Duration::from_secs(2), coefficient: 2.0, maximum: Duration::from_secs(30), attempts: 10 };

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "upgrade",
    phases: &[
        PhaseSpec {
            name: "fetching",
            deadline: Duration::from_secs(10 * 60),
            // A fetch cannot be continued by another delivery, so it gets most of what the host allows.
            delivery: Duration::from_secs(200),
            retry: RETRY,
            waits_for_people: false,
        },
        PhaseSpec {
            name: "building",
            deadline: Duration::from_secs(30 * 60),
            delivery: Duration::from_secs(60),
            retry: RETRY,
            waits_for_people: false,
        },
    ],
    budget: Duration::from_secs(45 * 60),
    logs: "upgrade-logs",
    timers: &[],
};

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

/// What the pipeline works with.
#[derive(Clone)]
pub struct Upgrade {
    pub components: Vec<Component>,
    pub source: Arc<dyn ports::Source>,
    pub images: Arc<dyn ports::Images>,
    /// The pause between two looks at the builds while they are young; it grows as they age.
    pub poll: Duration,
}

pub fn pipeline(upgrade: Upgrade) -> Pipeline {
    let upgrade = Arc::new(upgrade);
    let fetching = Arc::new(fetching::Fetching { upgrade: Arc::clone(&upgrade) });
    let building = Arc::new(building::Building { upgrade });
    Pipeline { spec: &SPEC, work: vec![fetching, building], timers: Vec::new(), resume: None }
}
