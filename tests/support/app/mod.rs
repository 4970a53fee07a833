//! A Container App that is not ours: revisions that become ready by themselves, stay sick or fall sick, and changes of
//! which one keeps the next out. Its calls fail, stall and kill their callers just as storage's do.

mod deployed;
mod made;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass::azure::container_apps::{ContainerApp, Operation, Poll, Replica, Revision, RevisionMode};
use windlass::engine::PhaseError;
use windlass::model::Timestamp;
use windlass::pipelines::upgrade::RolloutSettings;
use windlass::pipelines::upgrade::ports::{Applied, Apps, Readiness, Ready};

use super::builder::{BEFORE, Builder, REGISTRY};
use super::world::Injector;
pub use deployed::Deployed;
pub use made::{Fate, Made};

pub const APP: &str = "platform";
const LOCATION: &str = "East US";
/// A value that must not be written down anywhere.
pub const PLANTED: &str = "pl4nted-s3cret-of-the-app";

/// How rollouts go.
#[derive(Clone, Debug)]
pub struct AppHabits {
    pub seed: u64,
    pub settings: RolloutSettings,
    pub mode: RevisionMode,
    /// What may become of an upgrade's revision, one as likely as the other.
    pub fates: &'static [Fate],
    /// Of a thousand revisions that lead back, those that crash.
    pub relapsing: u32,
    /// The longest that each of these takes: an operation, until a revision is ready, until traffic makes one sick.
    pub operation: Duration,
    pub ready: Duration,
    pub stands: Duration,
    /// Of a thousand changes, those of which nobody is told where they can be watched, and of a thousand looks at an
    /// operation those that are not allowed.
    pub untold: u32,
    pub forbidden: u32,
}

#[derive(Clone)]
pub struct App {
    injector: Injector,
    habits: Arc<AppHabits>,
    builder: Builder,
    deployed: Arc<Mutex<Deployed>>,
}

fn first(builder: &Builder, now: Timestamp) -> Made {
    let ours = |name: &str| format!("{REGISTRY}/elb-{name}:v{BEFORE}");
    let components = builder.habits().components;
    let mut containers: Vec<Value> = components
        .iter()
        .map(|name| {
            json!({"name": name, "image": ours(name), "resources": {"cpu": 0.5}, "probes": [], "env": [
                {"name": "LEVEL", "value": "info"}, {"name": "KEY", "secretRef": "key"},
                {"name": "DB_PASSWORD", "value": PLANTED},
            ]})
        })
        .collect();
    containers.push(json!({"name": "proxy", "image": "proxy.example.net/proxy:3", "env": null}));
    let template = json!({"revisionSuffix": "first", "containers": containers, "volumes": null,
        "initContainers": [{"name": "migrate", "image": ours(components[0])}],
        "scale": {"minReplicas": 1, "maxReplicas": 3, "rules": null}});
    let name = |container: &Value| container["name"].as_str().expect("a name").to_owned();
    let all = template["containers"].as_array().into_iter().chain(template["initContainers"].as_array()).flatten();
    let runs = all.map(|each| (name(each), builder.pulled(each["image"].as_str().expect("an image"), now)));
    let runs = runs.map(|(name, image)| (name, image.expect("it was pulled"))).collect();
    let (stopped, stands) = (false, Duration::ZERO);
    Made {
        name: format!("{APP}--first"),
        suffix: "first".to_owned(),
        template,
        runs,
        fate: Fate::Well,
        made_at: now,
        appears_at: now,
        settles_at: now,
        settled_at: None,
        stopped,
        traffic_since: Some(now),
        stands,
    }
}

impl App {
    pub fn new(injector: &Injector, habits: AppHabits, builder: &Builder) -> Self {
        let now = injector.clock().now();
        let deployed = Deployed::new(&habits, first(builder, now), now);
        Self {
            injector: injector.clone(),
            habits: Arc::new(habits),
            builder: builder.clone(),
            deployed: Arc::new(Mutex::new(deployed)),
        }
    }

    pub fn habits(&self) -> &AppHabits {
        &self.habits
    }

    pub fn look<T>(&self, look: impl FnOnce(&mut Deployed) -> T) -> T {
        look(&mut self.deployed.lock().expect("never poisoned"))
    }

    async fn call<T: Send + 'static>(
        &self,
        name: String,
        effect: impl FnOnce(&mut Deployed, Timestamp) -> Result<T, PhaseError> + Send + 'static,
    ) -> Result<T, PhaseError> {
        let silence = || PhaseError::retryable("outside_silent", "the app did not answer; try again");
        let (deployed, clock) = (Arc::clone(&self.deployed), self.injector.clone());
        let effect = move || effect(&mut deployed.lock().expect("never poisoned"), clock.clock().now());
        self.injector.request(format!("outside {name}"), silence, effect).await
    }
}

#[async_trait]
impl Apps for App {
    fn is_configured(&self) -> bool {
        true
    }

    fn name(&self) -> &str {
        APP
    }

    fn place(&self) -> (&str, &str) {
        ("s", "g")
    }

    async fn app(&self) -> Result<ContainerApp, PhaseError> {
        self.call("app".to_owned(), |deployed, now| Ok(deployed.resource(now))).await
    }

    async fn update(&self, change: &Value) -> Result<Applied, PhaseError> {
        let (habits, builder, change) = (Arc::clone(&self.habits), self.builder.clone(), change.clone());
        self.call("update".to_owned(), move |deployed, now| {
            deployed.update(&change, &habits, now, |image| builder.pulled(image, now))
        })
        .await
    }

    async fn operation(&self, operation: &Operation) -> Result<Option<Poll>, PhaseError> {
        let (operation, forbidden) = (operation.clone(), self.habits.forbidden);
        self.call("operation".to_owned(), move |deployed, now| {
            let allowed = deployed.random.u32(..1000) >= forbidden;
            Ok(if allowed { deployed.operation(&operation, now) } else { None })
        })
        .await
    }

    async fn revision(&self, name: &str) -> Result<Option<Revision>, PhaseError> {
        let wanted = name.to_owned();
        self.call(format!("revision {name}"), move |deployed, now| {
            let (active, weight) = (deployed.is_active(&wanted, now), deployed.weight(&wanted, now));
            Ok(deployed.visible(&wanted, now).map(|made| made.resource(now, active, weight)))
        })
        .await
    }

    async fn revisions(&self) -> Result<Vec<Revision>, PhaseError> {
        self.call("revisions".to_owned(), |deployed, now| {
            let names = deployed.revisions.iter().map(|made| (made, deployed.is_active(&made.name, now)));
            Ok(names.map(|(made, active)| made.resource(now, active, deployed.weight(&made.name, now))).collect())
        })
        .await
    }

    async fn replicas(&self, revision: &str) -> Result<Vec<Replica>, PhaseError> {
        let wanted = revision.to_owned();
        self.call(format!("replicas {revision}"), move |deployed, now| {
            Ok(deployed.visible(&wanted, now).map(|made| made.replicas(now)).unwrap_or_default())
        })
        .await
    }

    async fn activate(&self, revision: &str) -> Result<(), PhaseError> {
        let (wanted, habits) = (revision.to_owned(), Arc::clone(&self.habits));
        self.call(format!("activate {revision}"), move |deployed, now| deployed.start(&wanted, &habits, now)).await
    }

    async fn deactivate(&self, revision: &str) -> Result<(), PhaseError> {
        let wanted = revision.to_owned();
        self.call(format!("deactivate {revision}"), move |deployed, now| deployed.stop(&wanted, now)).await
    }
}

#[async_trait]
impl Readiness for App {
    async fn ask(&self, revision: &Revision) -> Option<Ready> {
        let wanted = revision.name.clone();
        let answer = self.call(format!("ask {wanted}"), move |deployed, _| {
            Ok(match deployed.made(&wanted).map(|made| made.fate) {
                Some(Fate::Unready) => Ready::No("503".to_owned()),
                Some(Fate::Mute) | None => Ready::Unknown("no route".to_owned()),
                Some(_) => Ready::Yes,
            })
        });
        Some(answer.await.unwrap_or_else(|error| Ready::Unknown(error.to_string())))
    }
}
