//! This program's own `up`, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub struct Local {
    pub address: String,
    /// The pause between two looks at a run: a look costs the storage a read, which must not show in what is measured.
    pub look: Duration,
    child: Child,
    _data: Scratch,
}

/// A folder that goes with its owner.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("windlass-bench-{:016x}", fastrand::u64(..)));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the system's temporary folder: what cannot be removed is removed there in time.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Local {
    pub async fn start(handler: &Path, storage: &str) -> anyhow::Result<Self> {
        let data = Scratch::make()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["up", "--port", "0", "--storage", storage, "--data"])
            .arg(&data.0)
            .arg("--handler")
            .arg(handler)
            .env("WINDLASS_LOG", "warn")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut address = None;
        loop {
            let Some(line) = lines.next_line().await? else { bail!("the local host ended before it was ready") };
            if let Some((_, found)) = line.split_once("Windlass is at http://") {
                address = Some(found.to_owned());
            }
            if line == "ready" {
                break;
            }
        }
        // Its lines must go somewhere for as long as it runs.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let look = Duration::from_millis(if storage == "embedded" { 5 } else { 100 });
        Ok(Self { look, address: address.context("the local host did not tell its address")?, child, _data: data })
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        }
        tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await.context("it does not end")??;
        Ok(())
    }
}
