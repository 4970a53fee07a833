//! What is outside of an upgrade, in plain structs that do what a test tells them to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use windlass::azure::container_apps::{ContainerApp, Operation, Poll, Replica, Revision, Visitor};
use windlass::azure::images::Tag;
use windlass::engine::PhaseError;
use windlass::git::{Discovery, RemoteTag};
use windlass::model::Timestamp;
use windlass::pipelines::upgrade::ports::{Applied, Apps, ImageStore, Prepared, Source};
use windlass::pipelines::upgrade::{Component, HttpReadiness, RegistryImages, RolloutSettings, Upgrade};

pub const COMMIT: &str = "0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d0a1b2c3d";
pub const REGISTRY: &str = "platform.azurecr.io";
pub const COMPONENTS: [&str; 3] = ["api", "frontend", "terminal"];

/// Git, the registry and the app, and what is wrong with each.
pub struct Outside {
    pub app: Mutex<Value>,
    pub configured: Mutex<bool>,
    pub versions: Mutex<BTreeSet<&'static str>>,
    /// By `<repository>:<tag>` or `<repository>:<digest>`.
    pub images: Mutex<BTreeMap<String, String>>,
    pub git_error: Mutex<Option<PhaseError>>,
    pub registry_error: Mutex<Option<PhaseError>>,
    pub app_error: Mutex<Option<PhaseError>>,
    /// How often anything was asked.
    pub asked: Mutex<u32>,
}

pub fn app(version: &str, mode: &str) -> Value {
    let container = |name: &str| json!({"name": name, "image": format!("{REGISTRY}/elb-{name}:v{version}")});
    json!({
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.App/containerApps/platform", "name": "platform",
        "location": "East US",
        "properties": {
            "provisioningState": "Succeeded", "latestRevisionName": "platform--old",
            "latestReadyRevisionName": "platform--old", "configuration": {"activeRevisionsMode": mode},
            "template": {"containers": COMPONENTS.map(container)},
        },
    })
}

/// What an upgrade from 1.2.2 has stored before it changed that app.
pub fn snapshot(job: &str, strategy: &str, until: Timestamp) -> Value {
    let image = |name: &str| {
        let image = format!("{REGISTRY}/elb-{name}:v1.2.2");
        (name.to_owned(), json!({"image": image, "digest": digest('a')}))
    };
    json!({
        "job_id": job, "taken_at": until - Duration::from_secs(3600), "app": "platform", "subscription_id": "s",
        "resource_group": "g", "revision": "platform--old", "version": "1.2.2",
        "template": app("1.2.2", "Single")["properties"]["template"], "images": COMPONENTS.map(image).into_iter().collect::<Map<_, _>>(),
        "strategy": strategy, "target_revision": "platform--v1-2-3", "target_version": "1.2.3", "available_until": until,
    })
}

/// What an upgrade remembers of a rollout that has reached the app.
pub fn rollout() -> Value {
    json!({
        "strategy": "in_place", "from_version": "1.2.2", "from_revision": "platform--old", "suffix": "v1-2-3",
        "revision": "platform--v1-2-3", "images": {"api": format!("{REGISTRY}/elb-api:v1.2.3")},
        "change": {"sent_at": "2026-11-21T02:42:15Z"},
    })
}

pub fn digest(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

pub fn down(code: &str) -> PhaseError {
    PhaseError::retryable(code, "it does not answer")
}

impl Outside {
    /// An app that runs 1.2.2, of whose images the registry has every one.
    pub fn new() -> Arc<Self> {
        let images = COMPONENTS.iter().flat_map(|name| {
            let digest = digest('a');
            [(format!("elb-{name}:v1.2.2"), digest.clone()), (format!("elb-{name}:{digest}"), digest)]
        });
        Arc::new(Self {
            app: Mutex::new(app("1.2.2", "Single")),
            configured: Mutex::new(true),
            versions: Mutex::new(BTreeSet::from(["1.2.3-rc.1", "1.2.3", "1.2.4", "1.0.0", "2.0.0"])),
            images: Mutex::new(images.collect()),
            git_error: Mutex::default(),
            registry_error: Mutex::default(),
            app_error: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    /// What the upgrade's routes look at.
    pub fn upgrade(self: &Arc<Self>) -> Arc<Upgrade> {
        let component = |name: &str| Component {
            name: name.to_owned(),
            image: format!("elb-{name}"),
            dockerfile: format!("{name}/Dockerfile"),
            context: String::new(),
        };
        Arc::new(Upgrade {
            components: COMPONENTS.map(component).to_vec(),
            source: Arc::clone(self) as _,
            images: Arc::new(RegistryImages::new(None)),
            store: Arc::clone(self) as _,
            apps: Arc::clone(self) as _,
            readiness: Arc::new(HttpReadiness::new(Visitor::new().unwrap(), None)),
            poll: Duration::from_secs(2),
            rollout: RolloutSettings::default(),
        })
    }

    fn ask(&self, error: &Mutex<Option<PhaseError>>) -> Result<(), PhaseError> {
        *self.asked.lock().unwrap() += 1;
        error.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Source for Outside {
    fn address(&self) -> Option<String> {
        Some("git.example/platform".to_owned())
    }

    async fn discover(&self) -> Result<Discovery, PhaseError> {
        self.ask(&self.git_error)?;
        let tag = |version: &&str| RemoteTag { name: format!("v{version}"), commit: COMMIT.to_owned() };
        Ok(Discovery { tags: self.versions.lock().unwrap().iter().map(tag).collect(), head: None })
    }

    async fn prepare(&self, _: &str, _: &str, _: &[Component], _: Duration) -> Result<Prepared, PhaseError> {
        panic!("nobody fetches by HTTP")
    }

    async fn discard(&self, _: &str) -> Result<(), PhaseError> {
        Ok(())
    }
}

#[async_trait]
impl ImageStore for Outside {
    async fn login_server(&self) -> Result<String, PhaseError> {
        self.ask(&self.registry_error)?;
        Ok(REGISTRY.to_owned())
    }

    async fn digest(&self, repository: &str, reference: &str) -> Result<Option<String>, PhaseError> {
        self.ask(&self.registry_error)?;
        Ok(self.images.lock().unwrap().get(&format!("{repository}:{reference}")).cloned())
    }

    async fn tags(&self, repository: &str) -> Result<Vec<Tag>, PhaseError> {
        self.ask(&self.registry_error)?;
        let images = self.images.lock().unwrap();
        let named = images.iter().filter_map(|(name, digest)| {
            let tag = name.strip_prefix(repository)?.strip_prefix(':')?;
            Some(serde_json::from_value(json!({"name": tag, "digest": digest})).unwrap())
        });
        Ok(named.collect())
    }

    async fn delete_tag(&self, _: &str, _: &str) -> Result<(), PhaseError> {
        panic!("nobody deletes by HTTP")
    }

    async fn delete_manifest(&self, _: &str, _: &str) -> Result<(), PhaseError> {
        panic!("nobody deletes by HTTP")
    }
}

#[async_trait]
impl Apps for Outside {
    fn is_configured(&self) -> bool {
        *self.configured.lock().unwrap()
    }

    fn name(&self) -> &str {
        "platform"
    }

    fn place(&self) -> (&str, &str) {
        ("s", "g")
    }

    async fn app(&self) -> Result<ContainerApp, PhaseError> {
        self.ask(&self.app_error)?;
        if !*self.configured.lock().unwrap() {
            return Err(PhaseError::fatal("app_unset", "no app is configured"));
        }
        Ok(serde_json::from_value(self.app.lock().unwrap().clone()).unwrap())
    }

    async fn update(&self, _: &Value) -> Result<Applied, PhaseError> {
        panic!("nobody changes the app by HTTP")
    }

    async fn operation(&self, _: &Operation) -> Result<Option<Poll>, PhaseError> {
        Ok(None)
    }

    async fn revision(&self, _: &str) -> Result<Option<Revision>, PhaseError> {
        self.ask(&self.app_error)?;
        Ok(None)
    }

    async fn revisions(&self) -> Result<Vec<Revision>, PhaseError> {
        Ok(Vec::new())
    }

    async fn replicas(&self, _: &str) -> Result<Vec<Replica>, PhaseError> {
        Ok(Vec::new())
    }

    async fn activate(&self, _: &str) -> Result<(), PhaseError> {
        panic!("nobody changes the app by HTTP")
    }

    async fn deactivate(&self, _: &str) -> Result<(), PhaseError> {
        panic!("nobody changes the app by HTTP")
    }
}
