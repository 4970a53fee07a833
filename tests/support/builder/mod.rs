//! A repository and a registry that are not ours: what the upgrade calls, with builds that go on by themselves and say
//! what they do in pieces that end anywhere. Their calls fail, stall and kill their callers just as storage's do.

mod build;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use windlass::engine::PhaseError;
use windlass::git::Discovery;
use windlass::model::Timestamp;
use windlass::pipelines::upgrade::Component;
use windlass::pipelines::upgrade::ports::{BuildOrder, Context, Images, Output, Prepared, Progress, Source};

use super::world::Injector;
use build::planned;
pub use build::{Build, digest, span};

/// The version that nobody released.
pub const UNRELEASED: &str = "0.0.9";
/// The version that runs before anything is upgraded.
pub const BEFORE: &str = "1.0.0";
pub const REGISTRY: &str = "platform.example.net";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How builds go.
#[derive(Clone, Debug)]
pub struct Habits {
    pub components: &'static [&'static str],
    /// The pause between two looks.
    pub poll: Duration,
    pub seed: u64,
    /// The longest that each of these takes: a fetch, the wait for an agent, a build, a log's lag behind its build.
    pub fetch: Duration,
    pub queue: Duration,
    pub build: Duration,
    pub lag: Duration,
    /// The most lines of a build.
    pub lines: usize,
    /// A component whose every build fails.
    pub broken: Option<&'static str>,
    /// Of a thousand builds, those that fail and those that never get an agent.
    pub failing: u32,
    pub stuck: u32,
}

pub struct Registered {
    random: fastrand::Rng,
    /// Jobs whose sources are on the machine.
    pub workspaces: BTreeSet<String>,
    uploads: BTreeSet<String>,
    pub builds: BTreeMap<String, Build>,
}

#[derive(Clone)]
pub struct Builder {
    injector: Injector,
    habits: Habits,
    registered: Arc<Mutex<Registered>>,
}

impl Builder {
    pub fn new(injector: &Injector, habits: Habits) -> Self {
        let random = fastrand::Rng::with_seed(habits.seed ^ 0xb111d);
        let registered =
            Registered { random, workspaces: BTreeSet::new(), uploads: BTreeSet::new(), builds: BTreeMap::new() };
        Self { injector: injector.clone(), habits, registered: Arc::new(Mutex::new(registered)) }
    }

    pub fn habits(&self) -> &Habits {
        &self.habits
    }

    pub fn look<T>(&self, look: impl FnOnce(&Registered) -> T) -> T {
        look(&self.registered.lock().expect("never poisoned"))
    }

    async fn call<T>(
        &self,
        name: String,
        effect: impl FnOnce(&mut Registered, Timestamp) -> Result<T, PhaseError>,
    ) -> Result<T, PhaseError> {
        let silence = || PhaseError::retryable("outside_silent", "the system outside did not answer");
        let on_registered =
            || effect(&mut self.registered.lock().expect("never poisoned"), self.injector.clock().now());
        self.injector.operate(format!("outside {name}"), silence, on_registered).await
    }
}

fn unknown() -> PhaseError {
    PhaseError::fatal("outside_unknown", "there is no such build")
}

#[async_trait]
impl Source for Builder {
    fn address(&self) -> Option<String> {
        None
    }

    async fn discover(&self) -> Result<Discovery, PhaseError> {
        Err(unknown())
    }

    async fn prepare(
        &self,
        job: &str,
        tag: &str,
        components: &[Component],
        within: Duration,
    ) -> Result<Prepared, PhaseError> {
        let takes = self
            .call(format!("prepare {tag}"), |registered, _| {
                registered.workspaces.insert(job.to_owned());
                Ok(span(&mut registered.random, self.habits.fetch))
            })
            .await?;
        tokio::time::sleep(takes.min(within)).await;
        if takes > within {
            return Err(PhaseError::retryable("git_timed_out", "the remote is slow"));
        }
        if *tag == format!("v{UNRELEASED}") {
            return Err(PhaseError::fatal("git_tag_not_found", "there is no such tag; check it"));
        }
        let dockerfiles = components.iter().map(|each| (each.name.clone(), each.dockerfile.clone())).collect();
        let context = Context { context: String::new(), archive: "context-0.tar.gz".into(), bytes: 1, dockerfiles };
        Ok(Prepared { commit: COMMIT.to_owned(), contexts: vec![context] })
    }

    async fn discard(&self, job: &str) -> Result<(), PhaseError> {
        self.call(format!("discard {job}"), |registered, _| {
            registered.workspaces.remove(job);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Images for Builder {
    async fn upload(&self, _: &Context) -> Result<String, PhaseError> {
        self.call("upload".to_owned(), |registered, _| {
            let place = format!("source/{}.tar.gz", registered.uploads.len());
            registered.uploads.insert(place.clone());
            Ok(place)
        })
        .await
    }

    async fn schedule(&self, order: &BuildOrder) -> Result<String, PhaseError> {
        self.call(format!("schedule {}", order.image), |registered, now| {
            if !registered.uploads.contains(&order.source) {
                return Err(PhaseError::fatal("outside_refused", "the source was never uploaded"));
            }
            let id = format!("cf{}", registered.builds.len() + 1);
            let build = planned(&mut registered.random, &self.habits, order, now);
            registered.builds.insert(id.clone(), build);
            Ok(id)
        })
        .await
    }

    async fn progress(&self, id: &str) -> Result<Progress, PhaseError> {
        self.call(format!("progress {id}"), |registered, now| {
            registered.builds.get(id).map(|build| build.progress(now, id)).ok_or_else(unknown)
        })
        .await
    }

    async fn output(&self, id: &str, from: u64, most: usize) -> Result<Output, PhaseError> {
        self.call(format!("output {id}"), |registered, now| {
            let build = registered.builds.get(id).ok_or_else(unknown)?;
            let seen = Timestamp::from_millis(now.as_millis() - i64::try_from(build.lag.as_millis()).expect("short"));
            let bytes = build.output(seen);
            let ended = build.has_said_all(seen);
            let from = usize::try_from(from).expect("a short log");
            assert!(from <= bytes.len(), "somebody asks for bytes that were never written");
            let until = bytes.len().min(from + most);
            Ok(Output { complete: ended && until == bytes.len(), bytes: bytes[from..until].to_vec() })
        })
        .await
    }

    async fn cancel(&self, id: &str) -> Result<(), PhaseError> {
        self.call(format!("cancel {id}"), |registered, now| {
            let build = registered.builds.get_mut(id).ok_or_else(unknown)?;
            build.cancelled_at.get_or_insert(now);
            Ok(())
        })
        .await
    }
}
