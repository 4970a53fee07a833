//! A real Functions host in place of the local one: it gets a staged folder with its settings in it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

use super::settings::Settings;
use super::{UpOptions, storage};
use crate::dev::host::signalled;
use crate::dev::package;

/// A host awaits its invocations for 10 s before it ends.
const FAREWELL: Duration = Duration::from_secs(15);

pub struct ExternalHost {
    name: String,
    child: Child,
    address: SocketAddr,
    told: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Stages the folder and starts the program on it.
pub fn start(options: &UpOptions, program: &Path, handler: &Path, settings: &Settings) -> anyhow::Result<ExternalHost> {
    if options.storage == "embedded" {
        bail!(
            "a real Functions host listens to queues of a storage account: add --storage UseDevelopmentStorage=true and \
             start Azurite, or give a connection string"
        );
    }
    storage::connection(options)?;
    let dist = options.data.join("dist");
    package::stage(&options.root, handler, &dist)?;
    let values = settings.pairs();
    package::write_local_settings(&dist, &values)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    // Not every program takes 0 for any port, so one is chosen here; and a taken one is told before anything starts.
    let free = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    let address = free.with_context(|| format!("{address} is taken; choose another port"))?;
    let mut command = Command::new(program);
    // The environment would win over the file.
    for (name, _) in &values {
        command.env_remove(name);
    }
    // Listened for before there is anybody to pass it on to, so that none is missed.
    let told = Box::pin(signalled());
    let child = command
        .arg("start")
        .arg("--script-root")
        .arg(&dist)
        .arg("--port")
        .arg(address.port().to_string())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be run", program.display()))?;
    Ok(ExternalHost { name: program.display().to_string(), child, address, told })
}

impl ExternalHost {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Until a signal comes, which is passed on. A host that ends by itself has failed whatever its code is: the real
    /// one ends with 0 when its handler keeps crashing.
    pub async fn run(mut self) -> anyhow::Result<()> {
        tokio::select! {
            biased;
            () = &mut self.told => self.stop().await,
            status = self.child.wait() => {
                bail!("{} ended by itself: {}", self.name, status.with_context(|| self.name.clone())?)
            }
        }
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(id) = self.child.id() {
            // The shell's own `kill`: the standard library sends no other signal than SIGKILL.
            let told = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id.to_string()]).status().await;
            told.with_context(|| format!("{} cannot be told to stop", self.name))?;
        }
        match tokio::time::timeout(FAREWELL, self.child.wait()).await {
            Ok(ended) => ended.map(|_| ()).with_context(|| self.name.clone()),
            Err(_) => self.child.kill().await.with_context(|| self.name.clone()),
        }
    }
}
