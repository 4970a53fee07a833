//! The released `windlass-dev up` as a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub struct Local {
    pub address: String,
    child: Child,
    _data: tempfile::TempDir,
}

impl Local {
    pub async fn start(release: &Path, storage: &str) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(release.join("windlass-dev"))
            .args(["up", "--port", "0", "--storage", storage, "--data"])
            .arg(data.path())
            .arg("--handler")
            .arg(release.join("windlass"))
            .env("WINDLASS_LOG", "warn")
            .env("AzureFunctionsJobHost__extensions__queues__maxPollingInterval", "00:00:00.100")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("windlass-dev runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut address = None;
        while let Some(line) = lines.next_line().await.expect("a line") {
            if let Some((_, found)) = line.split_once("Windlass is at http://") {
                address = Some(found.to_owned());
            }
            if line == "ready" {
                break;
            }
        }
        // Its lines must go somewhere for as long as it runs.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { address: address.expect("windlass-dev tells its address"), child, _data: data }
    }

    pub async fn stop(mut self) {
        let pid = self.child.id().expect("it runs").to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status().await;
        let _ = tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await;
    }
}
