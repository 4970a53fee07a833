//! A running simulator and what a test can do with it beyond calling it.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::apps::RevisionRecord;
use super::faults::Fault;
use super::keys::{Key, Keys};
use super::options::{RevisionsMode, SimOptions};
use super::request::RequestRecord;
use super::run_view::RunRecord;
use super::server;
use super::tokens::{self, TokenRequest};
use super::world::Sim;

/// Ends with its value.
pub struct SimulatedAzure {
    address: SocketAddr,
    sim: Arc<Sim>,
    serving: JoinHandle<()>,
}

/// An app registration that may ask the token endpoint for tokens.
#[derive(Clone)]
pub struct ClientCredentials {
    pub client_id: String,
    pub client_secret: String,
}

/// Listens on 127.0.0.1. Fails when the port is taken.
pub async fn start(options: SimOptions) -> io::Result<SimulatedAzure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let address = listener.local_addr()?;
    let key = new_key().await?;
    let sim = Arc::new(Sim::new(options, format!("http://{address}"), Keys::new(key)));
    let serving = tokio::spawn(server::serve(listener, sim.clone()));
    Ok(SimulatedAzure { address, sim, serving })
}

async fn new_key() -> io::Result<Key> {
    tokio::task::spawn_blocking(Key::generate).await.map_err(io::Error::other)?
}

impl SimulatedAzure {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What points a handler at the simulator. IDENTITY_HEADER is a credential of this simulator alone.
    pub fn settings(&self) -> Vec<(String, String)> {
        let (base, options) = (&self.sim.base, &self.sim.options);
        [
            ("AZURE_CLOUD", "custom".into()),
            ("AZURE_ARM_ENDPOINT", base.clone()),
            ("AZURE_AUTHORITY_HOST", format!("{base}/")),
            // A custom cloud needs one; nothing here stands behind it.
            ("AZURE_STORAGE_SUFFIX", "core.windows.net".into()),
            ("IDENTITY_ENDPOINT", format!("{base}/msi/token")),
            ("IDENTITY_HEADER", self.sim.identity.header.clone()),
            ("PLATFORM_SUBSCRIPTION_ID", options.subscription_id.clone()),
            ("PLATFORM_RESOURCE_GROUP", options.resource_group.clone()),
            ("PLATFORM_ACR_NAME", options.registry.clone()),
            ("PLATFORM_CONTAINER_APP", options.container_app.clone()),
            ("WINDLASS_AUTH_TENANT_ID", options.tenant_id.clone()),
            ("WINDLASS_AUTH_AUDIENCE", options.audience.clone()),
        ]
        .map(|(name, value): (&str, String)| (name.to_owned(), value))
        .to_vec()
    }

    /// A user's token (version 2, role UpgradeAdmin) with these claims laid over it; `null` takes a claim away.
    pub fn mint(&self, claims: Value) -> String {
        let claims = claims.as_object().cloned().unwrap_or_default();
        self.token(&TokenRequest { claims, ..TokenRequest::default() })
    }

    pub fn token(&self, request: &TokenRequest) -> String {
        tokens::user_token(&self.sim, request)
    }

    /// A new signing key; the old one vanishes from the key set.
    pub async fn rotate_keys(&self) -> io::Result<()> {
        self.sim.keys.rotate(new_key().await?);
        Ok(())
    }

    pub fn client(&self) -> ClientCredentials {
        let app = &self.sim.app;
        ClientCredentials { client_id: app.client_id.clone(), client_secret: app.secret.clone() }
    }

    pub fn fault(&self, fault: Fault) {
        self.sim.faults().push(fault);
    }

    /// Faults that have not been used up.
    pub fn faults(&self) -> Vec<Fault> {
        self.sim.faults().clone()
    }

    /// Runs in the order of their start.
    pub fn runs(&self) -> Vec<RunRecord> {
        self.sim.world().up_to_date(&self.sim).runs.iter().map(RunRecord::of).collect()
    }

    /// `repository:tag` to digest, of everything in the registry.
    pub fn images(&self) -> BTreeMap<String, String> {
        self.sim.world().up_to_date(&self.sim).registry.tagged()
    }

    /// Puts an image into the registry that no build made; its digest. The same tag of the same repository has the
    /// same digest each time.
    pub fn push_image(&self, repository: &str, tag: &str) -> String {
        self.sim.world().push_image(&self.sim, repository, tag)
    }

    /// `repository:tag` takes the tag away, `repository@digest` the manifest with all its tags. Whether it was there.
    pub fn delete_image(&self, image: &str) -> bool {
        let mut world = self.sim.world();
        world.up_to_date(&self.sim);
        world.registry.delete(image)
    }

    /// What the registry's tokens may allow at most, from now on: actions such as `pull` and `metadata_read`.
    pub fn set_registry_rights(&self, actions: &[&str]) {
        self.sim.world().registry_rights = actions.iter().map(|&action| action.to_owned()).collect();
    }

    /// The container app as a GET shows it, without the values of its secrets; null when it is gone.
    pub fn app(&self) -> Value {
        self.sim.world().app_up_to_date(&self.sim).told(&self.sim)
    }

    /// All revisions that are kept, in the order of their making.
    pub fn revisions(&self) -> Vec<RevisionRecord> {
        self.sim.world().app_up_to_date(&self.sim).records()
    }

    /// The app vanishes at once; an operation on it fails.
    pub fn delete_app(&self) {
        self.sim.world().apps.vanish(&self.sim);
    }

    /// As if somebody had changed the app's mode long ago; its traffic rules stay as they are.
    pub fn set_revisions_mode(&self, mode: RevisionsMode) {
        self.sim.world().apps.set_mode(mode, self.sim.clock.now());
    }

    /// Every request so far, those to `/_sim/` left out.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.sim.requests().clone()
    }

    /// Moves the simulator's time ahead: tokens and links expire, builds go on.
    pub fn skip(&self, span: Duration) {
        self.sim.clock.skip(span);
    }

    pub fn reset(&self) {
        self.sim.reset();
    }

    /// Ends the simulator; its port is free afterwards.
    pub async fn stop(mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }
}

impl Drop for SimulatedAzure {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
