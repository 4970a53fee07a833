//! A platform between two upgrades, with a hand on its time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use serde_json::Value;
use tempfile::TempDir;
use windlass::azure::container_apps::Visitor;
use windlass::config::{AuthConfig, EasyAuthConfig};
use windlass::engine::ports::Clock;
use windlass::engine::{Engine, Pipeline, Registry, Settings};
use windlass::git::{Remote, RemotePolicy};
use windlass::http::auth::Authenticator;
use windlass::http::{Check, HttpState, Readiness, UpgradeHttp, router};
use windlass::model::Timestamp;
use windlass::pipelines::upgrade::{
    self, Component, GitSource, HttpReadiness, RegistryImages, RolloutSettings, Upgrade,
};
use windlass::storage::Operations;
use windlass::storage::embedded::Embedded;

use crate::app::FakeApp;
use crate::caller::{ADA, Answer, call};
use crate::git_server::{GitServer, Manner, make_repository};
use crate::registry::FakeRegistry;

pub const DEVELOPMENT: RemotePolicy = RemotePolicy { allow_http: true, allow_private: true };

pub struct HandClock(AtomicI64);

impl HandClock {
    pub fn skip(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn random(&self) -> u64 {
        fastrand::u64(..)
    }
}

struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn checks(&self) -> Vec<Check> {
        Vec::new()
    }
}

pub struct Platform {
    pub git: GitServer,
    pub app: Arc<FakeApp>,
    pub registry: Arc<FakeRegistry>,
    pub clock: Arc<HandClock>,
    pub upgrade: Arc<Upgrade>,
    pub engine: Engine,
    pub router: Router,
    repositories: TempDir,
    data: TempDir,
}

impl Platform {
    /// With a repository that has a commit for each of these tags and is at the last of them; none: there is none.
    pub async fn open(tags: &[&str]) -> Self {
        Self::of(tags, Manner::Plain, |server| Remote::parse(&server.url("app"), &DEVELOPMENT).ok()).await
    }

    pub async fn of(tags: &[&str], manner: Manner, remote: impl FnOnce(&GitServer) -> Option<Remote>) -> Self {
        let (repositories, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let git = GitServer::start(repositories.path(), manner).await;
        let (app, registry) = (Arc::<FakeApp>::default(), Arc::<FakeRegistry>::default());
        let clock = Arc::new(HandClock(AtomicI64::new(Timestamp::parse("2026-11-26T10:00:00Z").unwrap().as_millis())));
        let component = |name: &str| Component {
            name: name.to_owned(),
            image: format!("elb-{name}"),
            dockerfile: format!("{name}/Dockerfile"),
            context: String::new(),
        };
        let upgrade = Arc::new(Upgrade {
            components: ["api", "frontend"].map(component).to_vec(),
            source: Arc::new(GitSource { remote: remote(&git), workspaces: data.path().join("workspaces") }),
            images: Arc::new(RegistryImages::new(None)),
            store: Arc::clone(&registry) as _,
            apps: Arc::clone(&app) as _,
            readiness: Arc::new(HttpReadiness::new(Visitor::new().unwrap(), None)),
            poll: Duration::from_secs(10),
            rollout: RolloutSettings { keep_images: 2, keep_revisions: 2, ..RolloutSettings::default() },
        });
        let engine = engine(&upgrade, &data, &clock);
        let router = served(&engine, &upgrade, &clock);
        let platform = Self { git, app, registry, clock, upgrade, engine, router, repositories, data };
        for tag in tags {
            platform.release(tag);
        }
        platform
    }

    /// A second process over the same storage.
    pub fn another_engine(&self) -> Engine {
        engine(&self.upgrade, &self.data, &self.clock)
    }

    /// A process that can run other pipelines.
    pub fn engine_of(&self, pipelines: Vec<Pipeline>) -> Engine {
        with_pipelines(pipelines, &self.data, &self.clock)
    }

    pub fn repository(&self) -> PathBuf {
        self.repositories.path().join("app")
    }

    /// Adds a commit with this tag, and gives its name.
    pub fn release(&self, tag: &str) -> String {
        make_repository(&self.repository(), &[("VERSION", tag)], &[tag])
    }

    pub async fn candidates(&self) -> Value {
        let answer = self.get("/api/upgrade/candidates").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body()
    }

    pub async fn get(&self, path: &str) -> Answer {
        call(&self.router, ADA, "GET", path, None).await
    }

    pub async fn check(&self) -> Answer {
        call(&self.router, ADA, "POST", "/api/upgrade/check", None).await
    }

    pub async fn set(&self, who: &str, body: Value) -> Answer {
        call(&self.router, who, "POST", "/api/upgrade/settings", Some(body)).await
    }
}

fn engine(upgrade: &Arc<Upgrade>, data: &TempDir, clock: &Arc<HandClock>) -> Engine {
    let pipelines = vec![upgrade::pipeline(upgrade), upgrade::rollback(upgrade), upgrade::retention::pipeline(upgrade)];
    with_pipelines(pipelines, data, clock)
}

fn with_pipelines(pipelines: Vec<Pipeline>, data: &TempDir, clock: &Arc<HandClock>) -> Engine {
    let store = Embedded::open(&data.path().join("store"), Operations::default()).unwrap();
    Engine::new(
        Registry::new(pipelines),
        Arc::new(store.clone()),
        Arc::new(store.clone()),
        Arc::new(store),
        Arc::clone(clock) as _,
        Settings::default(),
    )
}

fn served(engine: &Engine, upgrade: &Arc<Upgrade>, clock: &Arc<HandClock>) -> Router {
    let auth = AuthConfig { easyauth: Some(EasyAuthConfig { tenant_id: None }), ..AuthConfig::default() };
    let nowhere = "http://127.0.0.1:9".parse().unwrap();
    let authenticator = Authenticator::new(auth, nowhere, reqwest::Client::new(), Arc::clone(clock) as _);
    router(HttpState {
        engine: engine.clone(),
        authenticator: Arc::new(authenticator),
        upgrade: Arc::new(UpgradeHttp {
            admin_oids: Vec::new(),
            components: Vec::new(),
            platform: Arc::clone(upgrade),
        }),
        readiness: Arc::new(Ready),
    })
}
