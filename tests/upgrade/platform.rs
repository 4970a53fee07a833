//! A platform to upgrade: its repository, its registry, and the engine that does it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use windlass::azure::container_apps::{ContainerAppsClient, Visitor};
use windlass::azure::images::ImagesClient;
use windlass::azure::registry::RegistryClient;
use windlass::azure::{ArmClient, Cloud};
use windlass::dev::azure::{
    BuildEffect, Fault, RequestEffect, RevisionEffect, RevisionsMode, SimOptions, SimulatedAzure,
};
use windlass::engine::ports::Clock;
use windlass::engine::{Engine, Registry, Settings};
use windlass::git::{Remote, RemotePolicy};
use windlass::pipelines::upgrade::ports::{Images, Source};
use windlass::pipelines::upgrade::rollout::Strategy;
use windlass::pipelines::upgrade::{
    self, AzureApps, Component, GitSource, HttpReadiness, RegistryImages, RegistryStore, RolloutSettings,
};
use windlass::storage::Operations;
use windlass::storage::embedded::Embedded;

use crate::clock::SkippingClock;
use crate::git_server::{GitServer, Manner, make_repository};
use crate::identity::SimulatedIdentity;
use crate::storage::{FlakyLogs, Tickets};

pub const DEVELOPMENT: RemotePolicy = RemotePolicy { allow_http: true, allow_private: true };
pub const COMPONENTS: [&str; 3] = ["api", "frontend", "terminal"];
/// A step of a build, and the pause between two looks at it: a build is looked at a handful of times.
const PACE: Duration = Duration::from_secs(4);
const POLL: Duration = Duration::from_secs(10);

const API: &str = "\
FROM python:3.12-slim
ARG APP_VERSION
COPY api/ /app/
RUN echo this is the service in version $APP_VERSION
CMD [\"python\", \"server.py\"]
";
const FRONTEND: &str = "\
FROM node:22-slim AS build
ARG APP_VERSION
COPY frontend/ /src/
RUN echo bundling the pages of version $APP_VERSION
FROM nginx:1.27-alpine
COPY --from=build /src /usr/share/nginx/html
";
const TERMINAL: &str = "\
FROM alpine:3.20
ARG APP_VERSION
COPY terminal/entry.sh /entry.sh
";

/// The files of a platform whose components build.
pub fn files() -> Vec<(&'static str, String)> {
    [
        ("README.md", "# A platform"),
        ("api/Dockerfile", API),
        ("api/server.py", "print('serving')"),
        ("frontend/Dockerfile", FRONTEND),
        ("frontend/index.html", "<!doctype html>"),
        ("terminal/Dockerfile", TERMINAL),
        ("terminal/entry.sh", "#!/bin/sh"),
    ]
    .map(|(path, text)| (path, text.to_owned()))
    .to_vec()
}

/// The same files, one of them with another content.
pub fn files_with(path: &'static str, content: impl Into<String>) -> Vec<(&'static str, String)> {
    let mut files = files();
    files.retain(|(known, _)| *known != path);
    files.push((path, content.into()));
    files
}

/// A component as the settings' defaults describe it.
pub fn component(name: &str) -> Component {
    Component {
        name: name.to_owned(),
        image: format!("elb-{name}"),
        dockerfile: format!("{name}/Dockerfile"),
        context: String::new(),
    }
}

/// Puts something around a port of the pipeline.
type Around<T> = Box<dyn FnOnce(Arc<T>) -> Arc<T>>;

/// What a platform is made of, where it differs from the ordinary.
pub struct Plan {
    pub files: Vec<(&'static str, String)>,
    pub components: Vec<Component>,
    /// How the git server behaves.
    pub manner: Manner,
    /// What UPGRADE_GIT_REMOTE and its token would say.
    pub remote: fn(&GitServer) -> Option<Remote>,
    pub has_registry: bool,
    pub source: Around<dyn Source>,
    pub images: Around<dyn Images>,
    /// How built images reach the app; by default they do not.
    pub rollout: RolloutSettings,
    pub mode: RevisionsMode,
    /// Where a revision is asked whether it works, below the address of the simulated Azure.
    pub readiness: Option<&'static str>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            files: files(),
            components: COMPONENTS.map(component).to_vec(),
            manner: Manner::Plain,
            remote: |server| Remote::parse(&server.url("app"), &DEVELOPMENT).ok(),
            has_registry: true,
            source: Box::new(|source| source),
            images: Box::new(|images| images),
            rollout: RolloutSettings { strategy: Strategy::BuildOnly, ..RolloutSettings::default() },
            mode: RevisionsMode::Single,
            readiness: None,
        }
    }
}

impl Plan {
    /// The images replace those of the app's one revision.
    pub fn in_place() -> Self {
        Self { rollout: RolloutSettings::default(), ..Self::default() }
    }

    /// The new revision proves itself beside the old one.
    pub fn blue_green() -> Self {
        let rollout = RolloutSettings { strategy: Strategy::BlueGreen, ..RolloutSettings::default() };
        Self { rollout, mode: RevisionsMode::Multiple, readiness: Some("/_app/{revision}/health"), ..Self::default() }
    }
}

pub struct Platform {
    pub azure: SimulatedAzure,
    /// The test's own eye on the registry.
    pub registry: RegistryClient,
    pub git: GitServer,
    /// The commit of the version 1.2.3.
    pub commit: String,
    pub engine: Engine,
    pub upgrade: Arc<upgrade::Upgrade>,
    pub tickets: Arc<Tickets>,
    pub clock: Arc<SkippingClock>,
    pub logs: Arc<FlakyLogs>,
    pub repositories: TempDir,
    /// Everything that the product writes on this machine is below here.
    pub data: TempDir,
}

impl Platform {
    pub async fn open() -> Self {
        Self::of(Plan::default()).await
    }

    pub async fn of(plan: Plan) -> Self {
        let (repositories, data) = (directory(), directory());
        let git = GitServer::start(repositories.path(), plan.manner).await;
        let files: Vec<(&str, &str)> = plan.files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let commit = make_repository(&repositories.path().join("app"), &files, &["v1.2.3"]);
        let options = SimOptions { pace: PACE, revisions_mode: plan.mode, ..SimOptions::default() };
        let azure = windlass::dev::azure::start(options).await;
        let azure = azure.expect("a simulated Azure");
        let registry = registry(&azure);
        let clock = Arc::<SkippingClock>::default();
        let store = Embedded::open(&data.path().join("store"), Operations::default()).expect("a store");
        let source = GitSource { remote: (plan.remote)(&git), workspaces: data.path().join("workspaces") };
        let images = RegistryImages::new(plan.has_registry.then(|| registry.clone()));
        let readiness = plan.readiness.map(|path| format!("http://{}{path}", azure.address()));
        let upgrade = Arc::new(upgrade::Upgrade {
            components: plan.components,
            source: (plan.source)(Arc::new(source)),
            images: (plan.images)(Arc::new(images)),
            store: Arc::new(RegistryStore::new(plan.has_registry.then(|| ImagesClient::new(registry.clone())))),
            apps: Arc::new(apps(&azure)),
            readiness: Arc::new(HttpReadiness::new(Visitor::new().expect("a client"), readiness)),
            poll: POLL,
            rollout: plan.rollout,
        });
        let logs = Arc::new(FlakyLogs::new(store.clone()));
        let tickets = Arc::new(Tickets::new(store.clone(), Arc::clone(&clock)));
        let engine = Engine::new(
            Registry::new(vec![upgrade::pipeline(&upgrade), upgrade::rollback(&upgrade)]),
            Arc::new(store),
            Arc::clone(&tickets) as _,
            Arc::clone(&logs) as _,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Settings::default(),
        );
        Self { azure, registry, git, commit, engine, upgrade, tickets, clock, logs, repositories, data }
    }

    /// Pushes everybody's time ahead.
    pub fn skip(&self, span: Duration) {
        self.clock.skip(span);
        self.azure.skip(span);
    }

    /// The next request whose path ends so meets `effect`.
    pub fn arm(&self, method: &str, path: &str, effect: RequestEffect) {
        self.arm_after(0, method, path, effect);
    }

    /// As [`Platform::arm`], once so many of them have passed.
    pub fn arm_after(&self, after: u32, method: &str, path: &str, effect: RequestEffect) {
        self.azure.fault(Fault::Request { method: Some(method.into()), path: path.into(), effect, after, count: 1 });
    }

    /// The build of a component's image meets `effect`.
    pub fn arm_build(&self, component: &str, effect: BuildEffect) {
        self.azure.fault(Fault::Build { image: format!("elb-{component}:"), effect, count: 1 });
    }

    /// What builds have pushed: everything but the version that is installed from the start.
    pub fn pushed(&self) -> BTreeMap<String, String> {
        let images = self.azure.images().into_iter();
        images.filter(|(image, _)| !image.ends_with(":v1.0.0")).collect()
    }

    /// The next revision of this upgrade meets `effect`.
    pub fn arm_revision(&self, part: &str, effect: RevisionEffect) {
        self.azure.fault(Fault::Revision { part: part.into(), effect, count: 1 });
    }

    /// Changes the app as an operator with the portal would, and waits until that is done.
    pub async fn change(&self, body: &Value) {
        self.begin_change(body).await;
        self.skip(Duration::from_secs(300));
    }

    pub async fn begin_change(&self, body: &Value) {
        let url = self.app_url("");
        let request = reqwest::Client::new().patch(url).bearer_auth(self.token().await).json(body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 202, "{:?}", answer.text().await);
    }

    /// Asks the app for something, as an operator would.
    pub async fn order(&self, path: &str) {
        let request = reqwest::Client::new().post(self.app_url(path)).bearer_auth(self.token().await);
        let answer = request.header("content-length", 0).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{:?}", answer.text().await);
        self.skip(Duration::from_secs(60));
    }

    fn app_url(&self, path: &str) -> String {
        let SimOptions { subscription_id, resource_group, container_app, .. } = SimOptions::default();
        format!(
            "http://{}/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.App/\
             containerApps/{container_app}{path}?api-version=2024-03-01",
            self.azure.address()
        )
    }

    async fn token(&self) -> String {
        SimulatedIdentity::of(&self.azure).token("https://management.azure.com").await.expect("a token")
    }

    pub fn workspaces(&self) -> std::path::PathBuf {
        self.data.path().join("workspaces")
    }

    /// A build's whole output, as the registry keeps it.
    pub async fn output(&self, run_id: &str) -> String {
        let link = self.registry.log_link(run_id).await.expect("a link");
        let mut bytes = Vec::new();
        loop {
            let chunk = self.registry.log_tail(&link, bytes.len() as u64, 1 << 20).await.expect("a piece of the log");
            bytes.extend_from_slice(&chunk.bytes);
            if chunk.complete.is_some() || chunk.bytes.is_empty() {
                return String::from_utf8(bytes).expect("text");
            }
        }
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn arm(azure: &SimulatedAzure) -> ArmClient {
    let base = format!("http://{}", azure.address());
    let cloud = Cloud::custom(&base, &base, "core.windows.net").expect("a cloud on loopback");
    ArmClient::new(&cloud, Arc::new(SimulatedIdentity::of(azure))).expect("a client")
}

fn registry(azure: &SimulatedAzure) -> RegistryClient {
    let options = SimOptions::default();
    RegistryClient::new(arm(azure), &options.subscription_id, &options.resource_group, &options.registry)
}

fn apps(azure: &SimulatedAzure) -> AzureApps {
    let SimOptions { subscription_id, resource_group, container_app, .. } = SimOptions::default();
    // So that an answer that never comes is not waited for for a minute.
    let arm = arm(azure).with_timeout(Duration::from_secs(3));
    let client = ContainerAppsClient::new(arm, &subscription_id, &resource_group, &container_app);
    AzureApps::new(Some(client), &subscription_id, &resource_group, &container_app)
}
