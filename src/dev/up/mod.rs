//! `windlass-dev up`: everything on one machine, from the Functions host to Azure.
//!
//! - `settings`: what the handler's environment is made of, and what wins over what
//! - `handler`: the production binary, built if need be
//! - `storage`: the queues that the local host listens to
//! - `external`: a real Functions host in place of the local one
//! - `demo`: a first upgrade to watch

mod demo;
mod external;
mod handler;
mod settings;
mod storage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::dev::azure::{SimOptions, SimulatedAzure};
use crate::dev::host::{self, Host, HostOptions, HttpMode, StopReason, Voice};
use crate::dev::repository::GitServer;
use settings::Settings;

/// Which Azure the handler talks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Azure {
    Simulated,
    Real,
}

#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The folder with host.json and functions/.
    pub root: PathBuf,
    pub port: u16,
    /// Where everything is kept that this machine remembers.
    pub data: PathBuf,
    /// `embedded` or a connection string.
    pub storage: String,
    /// None: simulated unless a subscription is configured.
    pub azure: Option<Azure>,
    pub http: HttpMode,
    pub demo: bool,
    /// A program that takes `start --script-root <folder> --port <n>`, as `func` does.
    pub host: Option<PathBuf>,
    /// The handler, where it must not be built.
    pub handler: Option<PathBuf>,
    /// How long the simulated Azure takes for one step of a build.
    pub pace: Duration,
}

/// Runs until it is told to stop. An error means that it could not begin or that the handler is broken.
pub async fn up(options: UpOptions) -> anyhow::Result<()> {
    std::fs::create_dir_all(&options.data).with_context(|| format!("{} cannot be made", options.data.display()))?;
    let mut settings = Settings::read(&options)?;
    let azure = simulated_azure(&options, &mut settings).await?;
    settings.prefer_callers();
    let git = match options.demo {
        true => Some(demo::serve_sample(&options, &mut settings).await?),
        false => None,
    };
    let handler = handler::find(&options)?;
    if let Some(program) = &options.host {
        let host = external::start(&options, program, &handler, &settings)?;
        let address = host.address();
        announce(&options, address, azure.as_ref(), git.as_ref());
        return attended(&options, address, &settings, host.run()).await;
    }
    let host = start_host(&options, handler, &settings).await?;
    let address = host.address();
    announce(&options, address, azure.as_ref(), git.as_ref());
    attended(&options, address, &settings, run(host)).await
}

async fn simulated_azure(options: &UpOptions, settings: &mut Settings) -> anyhow::Result<Option<SimulatedAzure>> {
    let configured = if settings.has("PLATFORM_SUBSCRIPTION_ID") { Azure::Real } else { Azure::Simulated };
    if options.azure.unwrap_or(configured) == Azure::Real {
        return Ok(None);
    }
    let simulated = SimOptions { pace: options.pace, ..SimOptions::default() };
    let azure = crate::dev::azure::start(simulated).await.context("the simulated Azure cannot begin")?;
    settings.force(azure.settings());
    Ok(Some(azure))
}

async fn start_host(options: &UpOptions, handler: PathBuf, settings: &Settings) -> anyhow::Result<Host> {
    let host = host::start(HostOptions {
        script_root: options.root.clone(),
        functions_dir: options.root.join("functions"),
        handler,
        port: options.port,
        environment: settings.pairs(),
        http: options.http,
        queues: storage::queues(options).await?,
        timers_dir: options.data.join("timers"),
        voice: Voice::standard(),
    })
    .await?;
    Ok(host)
}

fn announce(options: &UpOptions, address: SocketAddr, azure: Option<&SimulatedAzure>, git: Option<&GitServer>) {
    println!("Windlass is at http://{address}");
    println!("  health    curl http://{address}/api/health");
    println!(
        "  a run     curl -X POST http://{address}/api/probe/start -H 'Authorization: Bearer {}'",
        crate::http::auth::DEV_BYPASS_TOKEN
    );
    println!("  storage   {}", if options.storage == "embedded" { "embedded, below" } else { "a storage account" });
    println!("  data      {}", options.data.display());
    match azure {
        Some(azure) => println!("  Azure     simulated, at http://{}", azure.address()),
        None => println!("  Azure     real, as you are signed in"),
    }
    if let Some(git) = git {
        println!("  upgrades  from {}", git.url(demo::REPOSITORY));
    }
}

/// Runs the host to its end, and beside it tells when it is ready and what the demo does.
async fn attended(
    options: &UpOptions,
    address: SocketAddr,
    settings: &Settings,
    host: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let base = format!("http://{address}");
    let story = async {
        demo::until_ready(&base).await;
        println!("ready");
        if options.demo
            && let Err(error) = demo::tell(&base, settings).await
        {
            eprintln!("the demo could not go on: {error:#}");
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = host => ended,
        never = story => never,
    }
}

async fn run(mut host: Host) -> anyhow::Result<()> {
    let reason = host.stopped().await;
    host.shutdown().await;
    match reason {
        StopReason::Signal => Ok(()),
        StopReason::HandlerCrashed => {
            bail!("the handler crashed three times within 30 minutes; its lines above say why")
        }
    }
}
