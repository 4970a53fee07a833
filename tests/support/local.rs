//! `windlass-dev up` as a process of its own, and what a test does to it. Each test binary uses a part of it.
//!
//! With `WINDLASS_HOST=<program>` it runs that Functions host in place of the local one. Such a host needs a storage
//! account, so what would be embedded storage is an account of its own in Azurite.
#![allow(dead_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use windlass::http::auth::DEV_BYPASS_TOKEN;

use crate::azurite::Azurite;

/// How long anything may take that a test waits for. Never reached unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Local {
    pub base: String,
    /// Where the simulated Azure is, if there is one.
    pub azure: Option<String>,
    child: Child,
    lines: tokio::task::JoinHandle<Vec<String>>,
}

/// How to start it.
pub struct Start {
    pub data: PathBuf,
    pub storage: String,
    pub port: u16,
    pub environment: Vec<(String, String)>,
    pub arguments: Vec<String>,
    /// Milliseconds that a step of a simulated build takes.
    pub pace: u64,
    /// A working tree of another version with its programs in `target/debug`; this version's where there is none.
    pub version: Option<PathBuf>,
}

impl Start {
    pub fn embedded(data: &Path) -> Self {
        let host = external_host();
        Self {
            data: data.to_owned(),
            storage: host.as_ref().map_or("embedded".into(), |_| Azurite::shared().account_of(data)),
            port: 0,
            environment: Vec::new(),
            arguments: host.map_or_else(Vec::new, |host| vec!["--host".into(), host]),
            pace: 5,
            version: None,
        }
    }

    /// What `windlass-dev` is called with.
    pub fn line(&self) -> Vec<OsString> {
        let (port, pace) = (self.port.to_string(), self.pace.to_string());
        let fixed = ["up", "--pace", &pace, "--port", &port, "--storage", &self.storage];
        let mut line: Vec<OsString> = fixed.iter().map(OsString::from).collect();
        line.extend(["--data".into(), self.data.clone().into(), "--handler".into(), self.program("windlass").into()]);
        line.extend(self.arguments.iter().map(OsString::from));
        line
    }

    fn program(&self, name: &str) -> PathBuf {
        match (&self.version, name) {
            (Some(tree), name) => tree.join("target/debug").join(name),
            (None, "windlass") => env!("CARGO_BIN_EXE_windlass").into(),
            (None, _) => env!("CARGO_BIN_EXE_windlass-dev").into(),
        }
    }

    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The host that takes the local one's place.
pub fn external_host() -> Option<String> {
    std::env::var("WINDLASS_HOST").ok().filter(|host| !host.is_empty())
}

impl Local {
    /// Starts it and waits until it says that it is ready.
    pub async fn start(start: &Start) -> Self {
        let mut child = Command::new(start.program("windlass-dev"))
            .current_dir(start.version.as_deref().unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR"))))
            .args(start.line())
            .env_remove("PLATFORM_SUBSCRIPTION_ID")
            .envs(start.environment.clone())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("windlass-dev runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (mut base, mut azure) = (None, None);
        let began = async {
            while let Some(line) = lines.next_line().await.expect("a line") {
                if let Some((_, address)) = line.split_once("Windlass is at ") {
                    base = Some(address.to_owned());
                }
                if let Some((_, address)) = line.split_once("simulated, at ") {
                    azure = Some(address.to_owned());
                }
                if line == "ready" {
                    return;
                }
            }
            panic!("windlass-dev ended before it was ready");
        };
        tokio::time::timeout(PATIENCE, began).await.expect("windlass-dev becomes ready");
        let lines = tokio::spawn(async move {
            let mut said = Vec::new();
            while let Ok(Some(line)) = lines.next_line().await {
                said.push(line);
            }
            said
        });
        Self { base: base.expect("windlass-dev tells its address"), azure, child, lines }
    }

    /// Ends the host without a word, as a lost machine does.
    pub async fn kill(mut self) {
        let below = children_of(self.child.id().expect("it runs"));
        self.child.kill().await.expect("it ends");
        if external_host().is_some() {
            below.iter().for_each(|host| kill_now(*host));
        }
    }

    /// Ends host and handler without a word at the same moment.
    pub async fn kill_all(mut self) {
        let host = self.child.id().expect("it runs");
        let below = children_of(host);
        kill_now(host);
        below.iter().for_each(|handler| kill_now(*handler));
        self.child.wait().await.expect("it ends");
    }

    /// Ends the handler without a word; false if there is none now.
    pub fn kill_handler(&self) -> bool {
        let Some(host) = self.child.id() else { return false };
        let handlers = children_of(host);
        handlers.iter().for_each(|handler| kill_now(*handler));
        !handlers.is_empty()
    }

    /// Whether the host is still there: it gives up after the third crash of its handler, as the real one does.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the host as Ctrl-C does, and gives what it printed.
    pub async fn stop(mut self) -> Vec<String> {
        let host = self.child.id().expect("it runs").to_string();
        std::process::Command::new("kill").args(["-TERM", &host]).status().expect("kill runs");
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("a status");
        self.lines.await.expect("its lines")
    }
}

pub fn kill_now(process: u32) {
    std::process::Command::new("kill").args(["-9", &process.to_string()]).status().expect("kill runs");
}

pub fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("a process table").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let of = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        of.and_then(|text| text.trim().parse::<u32>().ok()) == Some(parent)
    })
    .collect()
}

/// A caller with the development bypass.
pub struct Caller {
    client: reqwest::Client,
    base: String,
}

impl Caller {
    pub fn of(base: &str) -> Self {
        Self { client: reqwest::Client::new(), base: base.to_owned() }
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(DEV_BYPASS_TOKEN)
            .timeout(Duration::from_secs(30))
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.request(reqwest::Method::POST, path).json(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.request(reqwest::Method::GET, path).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    pub async fn text(&self, path: &str) -> String {
        self.request(reqwest::Method::GET, path).send().await.expect("an answer").text().await.expect("text")
    }

    /// Looks again and again until `done` says so, and gives the last look.
    pub async fn until(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let look = async {
            loop {
                let (_, body) = self.get(path).await;
                if done(&body) {
                    return body;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("{path} never got there"))
    }
}
