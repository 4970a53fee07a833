//! A platform of which nobody has said where it is.

use std::sync::Arc;
use std::time::Duration;

use windlass::azure::container_apps::Visitor;
use windlass::pipelines::upgrade::{
    AzureApps, GitSource, HttpReadiness, RegistryImages, RegistryStore, RolloutSettings, Upgrade,
};

pub fn platform() -> Arc<Upgrade> {
    Arc::new(Upgrade {
        components: Vec::new(),
        source: Arc::new(GitSource { remote: None, workspaces: "nowhere".into() }),
        images: Arc::new(RegistryImages::new(None)),
        store: Arc::new(RegistryStore::new(None)),
        apps: Arc::new(AzureApps::new(None, "", "", "")),
        readiness: Arc::new(HttpReadiness::new(Visitor::new().expect("a client"), None)),
        poll: Duration::from_secs(10),
        rollout: RolloutSettings::default(),
    })
}
