//! The composition root: the only place that sees every room.

mod clients;
pub mod functions;
pub mod orphan;
mod readiness;
pub(crate) mod stores;
pub mod telemetry;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::config::{Config, Mode, StorageConfig};
use crate::engine::ports::{Clock, StoreError};
use crate::engine::{Engine, Registry, Settings};
use crate::http::auth::Authenticator;
use crate::http::{HttpState, UpgradeHttp};
use crate::model::Timestamp;
use crate::pipelines::{SPECS, probe, upgrade};
use crate::{http, triggers};
use readiness::StorageReadiness;
use telemetry::Telemetry;

pub use stores::{Stores, containers, queues};

/// The machine's clock and its randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn random(&self) -> u64 {
        fastrand::u64(..)
    }
}

/// The whole handler, ready to serve.
pub struct App {
    router: Router,
    readiness: Arc<StorageReadiness>,
    port: u16,
}

impl App {
    /// Puts the rooms together. Talks to nobody yet, so that the host gets its first answer at once.
    pub fn compose(config: &Config, telemetry: &Telemetry) -> anyhow::Result<Self> {
        let storage_identity = || {
            let client_id = match &config.storage {
                StorageConfig::Identity { client_id, .. } => client_id.clone(),
                _ => None,
            };
            clients::credential(config, client_id).map_err(|error| StoreError::Refused(error.to_string()))
        };
        let stores = Stores::open(config, storage_identity).context("storage")?;
        telemetry.watch(&stores.operations);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let platform = clients::upgrade(config)?;
        let registry = Registry::new(vec![
            probe::pipeline(),
            upgrade::pipeline(&platform),
            upgrade::rollback(&platform),
            upgrade::retention::pipeline(&platform),
        ]);
        let engine = Engine::new(
            registry,
            Arc::clone(&stores.runs),
            Arc::clone(&stores.tickets),
            Arc::clone(&stores.logs),
            Arc::clone(&clock),
            Settings {
                instance: instance(config),
                lease: config.engine.lease,
                grace: config.engine.sweep_grace,
                max_crashes: config.engine.max_crashes,
            },
        );
        let engine = match telemetry.observer() {
            Some(observer) => engine.observed_by(observer),
            None => engine,
        };
        let engine = engine.closing(functions::closed(config));
        let about_functions = functions::warnings(config);
        for warning in config.warnings.iter().chain(&about_functions) {
            tracing::warn!("{warning}");
        }
        let port = config.server.port;
        let make_missing = config.server.mode == Mode::Development;
        let warnings = config.warnings.len() + about_functions.len();
        let readiness = Arc::new(StorageReadiness::new(stores, make_missing, warnings));
        let callers = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let authority = config.cloud.authority_host.clone();
        let state = HttpState {
            engine: engine.clone(),
            authenticator: Arc::new(Authenticator::new(config.auth.clone(), authority, callers, clock)),
            upgrade: Arc::new(UpgradeHttp {
                admin_oids: config.upgrade.admin_oids.clone(),
                components: config.upgrade.components.iter().map(|component| component.name.clone()).collect(),
                platform,
            }),
            readiness: Arc::clone(&readiness) as _,
        };
        let router = Router::new()
            // The host's question whether anybody is here.
            .route("/", get(|| async { "windlass" }))
            .merge(triggers::router(engine, SPECS, port))
            .merge(http::router(state));
        let router = telemetry.flushed(router);
        Ok(Self { router, readiness, port })
    }

    /// Serves on the loopback port that the host calls, until the process ends.
    pub async fn serve(self) -> anyhow::Result<()> {
        let address = (Ipv4Addr::LOCALHOST, self.port);
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("port {} cannot be listened to", self.port))?;
        let (port, commit) = (self.port, option_env!("WINDLASS_COMMIT"));
        tracing::info!(port, version = env!("CARGO_PKG_VERSION"), commit, "listening");
        let readiness = self.readiness;
        tokio::spawn(async move { readiness.prepare(SPECS).await });
        axum::serve(listener, self.router).await.context("serving ended")
    }
}

/// A name for this process; where the platform gives none, one that no other process bears.
fn instance(config: &Config) -> String {
    config.server.instance.clone().unwrap_or_else(|| format!("i{:08x}", fastrand::u32(..)))
}
