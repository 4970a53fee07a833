//! Everything the simulator knows.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use time::OffsetDateTime;
use uuid::Uuid;

use super::apps::{Apps, IMAGES, PollSigner, TAG, installed_at};
use super::clock::Clock;
use super::dataplane::{Manifest, Registry, RegistryTokens};
use super::faults::Fault;
use super::keys::Keys;
use super::options::SimOptions;
use super::request::RequestRecord;
use super::run::Run;
use super::sas::Sas;
use super::task_runs::TaskRun;

/// The identity of the simulated function app.
pub(super) struct Identity {
    pub(super) client_id: String,
    pub(super) object_id: String,
    /// What X-IDENTITY-HEADER must say.
    pub(super) header: String,
}

/// An app registration that may ask for tokens with its secret.
pub(super) struct App {
    pub(super) client_id: String,
    pub(super) object_id: String,
    pub(super) secret: String,
}

pub(super) struct Sim {
    pub(super) options: SimOptions,
    /// `http://127.0.0.1:<port>`
    pub(super) base: String,
    pub(super) clock: Clock,
    pub(super) keys: Keys,
    pub(super) sas: Sas,
    /// Signs the addresses of operations.
    pub(super) polls: PollSigner,
    pub(super) registry_tokens: RegistryTokens,
    pub(super) identity: Identity,
    pub(super) app: App,
    world: Mutex<World>,
    faults: Mutex<Vec<Fault>>,
    requests: Mutex<Vec<RequestRecord>>,
}

/// What calls change.
pub(super) struct World {
    pub(super) rng: fastrand::Rng,
    /// Source archives by their relative path; `None` until the blob was written.
    pub(super) uploads: BTreeMap<String, Option<Bytes>>,
    /// In the order of their start.
    pub(super) runs: Vec<Run>,
    /// By their name in lower case.
    pub(super) task_runs: BTreeMap<String, TaskRun>,
    pub(super) registry: Registry,
    /// What the registry's tokens may allow at most.
    pub(super) registry_rights: Vec<String>,
    pub(super) apps: Apps,
}

const REGISTRY_RIGHTS: [&str; 6] = ["pull", "push", "delete", "metadata_read", "metadata_write", "*"];

impl World {
    fn new(options: &SimOptions, base: &str, now: OffsetDateTime) -> Self {
        let mut registry = Registry::default();
        for repository in IMAGES {
            registry.push(repository, TAG, Manifest::of(&format!("{repository} as installed")), installed_at(now));
        }
        Self {
            rng: fastrand::Rng::with_seed(options.seed),
            uploads: BTreeMap::new(),
            runs: Vec::new(),
            task_runs: BTreeMap::new(),
            registry,
            registry_rights: REGISTRY_RIGHTS.map(str::to_owned).to_vec(),
            apps: Apps::new(options, host(base), now),
        }
    }

    /// Run ids are looked up as Resource Manager looks up names: without regard to case.
    pub(super) fn run(&mut self, id: &str) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id.eq_ignore_ascii_case(id))
    }

    /// Lets a run go on, and remembers what it pushed.
    pub(super) fn look_at(&mut self, sim: &Sim, id: &str) -> Option<&Run> {
        let run = self.runs.iter_mut().find(|run| run.id.eq_ignore_ascii_case(id))?;
        let pushing = !run.status.is_terminal();
        run.look(sim.clock.now(), sim.options.pace);
        for image in run.outputs.iter().filter(|_| pushing) {
            let at = run.finished_at.unwrap_or_else(|| sim.clock.now());
            self.registry.push(&image.repository, &image.tag, Manifest::of(&image.content), at);
        }
        Some(run)
    }

    pub(super) fn push_image(&mut self, sim: &Sim, repository: &str, tag: &str) -> String {
        self.up_to_date(sim);
        self.registry.push(repository, tag, Manifest::of(&format!("{repository}:{tag} by hand")), sim.clock.now())
    }

    /// Lets the app and its operations go on.
    pub(super) fn look_at_app(&mut self, sim: &Sim) {
        self.up_to_date(sim);
        if sim.options.pace.is_zero() {
            self.apps.look(sim.clock.now(), sim.options.pace);
        }
    }

    /// The app as it is by now, without the look that lets a rollout without a pace go on.
    pub(super) fn app_up_to_date(&mut self, sim: &Sim) -> &Apps {
        self.up_to_date(sim);
        self.apps.wear(sim.clock.now());
        &self.apps
    }

    /// Everything as it is by now, without the look that lets a run without a pace go on.
    pub(super) fn up_to_date(&mut self, sim: &Sim) -> &Self {
        if !sim.options.pace.is_zero() {
            let ids: Vec<String> = self.runs.iter().map(|run| run.id.clone()).collect();
            for id in ids {
                self.look_at(sim, &id);
            }
            self.apps.look(sim.clock.now(), sim.options.pace);
        }
        self
    }
}

impl Sim {
    pub(super) fn new(options: SimOptions, base: String, keys: Keys) -> Self {
        let id = || Uuid::new_v4().to_string();
        let clock = Clock::default();
        let world = Mutex::new(World::new(&options, &base, clock.now()));
        Self {
            options,
            base,
            clock,
            keys,
            sas: Sas::new(Uuid::new_v4().as_bytes()),
            polls: PollSigner::new(Uuid::new_v4().as_bytes()),
            registry_tokens: RegistryTokens::new(Uuid::new_v4().as_bytes()),
            identity: Identity { client_id: id(), object_id: id(), header: id() },
            app: App { client_id: id(), object_id: id(), secret: id() },
            world,
            faults: Mutex::default(),
            requests: Mutex::default(),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn requests(&self) -> MutexGuard<'_, Vec<RequestRecord>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As after a start; keys and identities stay.
    pub(super) fn reset(&self) {
        self.clock.reset();
        *self.world() = World::new(&self.options, &self.base, self.clock.now());
        self.faults().clear();
        self.requests().clear();
    }

    pub(super) fn issuer_v1(&self) -> String {
        format!("https://sts.windows.net/{}/", self.options.tenant_id)
    }

    pub(super) fn issuer_v2(&self) -> String {
        format!("{}/{}/v2.0", self.base, self.options.tenant_id)
    }

    /// The registry's data plane is served beside everything else.
    pub(super) fn login_server(&self) -> &str {
        host(&self.base)
    }

    /// The resource id of the registry.
    pub(super) fn registry_id(&self) -> String {
        let SimOptions { subscription_id, resource_group, registry, .. } = &self.options;
        format!(
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.ContainerRegistry/registries/{registry}"
        )
    }
}

fn host(base: &str) -> &str {
    base.strip_prefix("http://").unwrap_or(base)
}
