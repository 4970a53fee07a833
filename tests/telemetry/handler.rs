//! The handler as a process, and the test as its Functions host: it invokes one function at a time, so that what has
//! been sent by the time of an answer is no matter of luck.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::stream;
use reqwest::header::{HOST, TRANSFER_ENCODING, USER_AGENT};
use serde_json::{Value, json};
use tempfile::TempDir;
use windlass::engine::ports::RunStore;
use windlass::http::auth::DEV_BYPASS_TOKEN;
use windlass::model::{Run, RunId};
use windlass::storage::Operations;
use windlass::storage::embedded::Embedded;

/// How long anything may take that a test waits for. Never reached unless something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Handler {
    pub base: String,
    port: u16,
    child: Child,
    data: TempDir,
    said: Arc<Mutex<Vec<String>>>,
    client: reqwest::Client,
}

impl Drop for Handler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The least that a handler needs, and these settings.
pub fn command(port: u16, data: &TempDir, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
    command
        .env_clear()
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .env("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
        .env("WINDLASS_STORAGE", "embedded")
        .env("WINDLASS_DATA", data.path())
        .env("WINDLASS_AUTH", "dev_bypass")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Handler {
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let data = tempfile::tempdir().unwrap();
        let mut child = command(port, &data, settings).spawn().unwrap();
        let said = Arc::<Mutex<Vec<String>>>::default();
        collect(child.stdout.take().unwrap(), &said);
        collect(child.stderr.take().unwrap(), &said);
        let client = reqwest::Client::new();
        let handler = Self { base: format!("http://127.0.0.1:{port}"), port, child, data, said, client };
        let begun = Instant::now();
        while !handler.is_ready().await {
            assert!(begun.elapsed() < PATIENCE, "it never became ready: {}", handler.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        handler
    }

    async fn is_ready(&self) -> bool {
        let answer = self.client.get(format!("{}/api/health", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// How many lines hold this word.
    pub fn count(&self, word: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.contains(word)).count()
    }

    /// Starts a probe, and gives the run.
    pub async fn start_probe(&self, body: &Value, headers: &[(&str, &str)]) -> RunId {
        let mut request = self.client.post(format!("{}/api/probe/start", self.base)).bearer_auth(DEV_BYPASS_TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.json(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 202);
        answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().parse().unwrap()
    }

    /// The run as its row has it.
    pub async fn run(&self, id: &RunId) -> Run {
        let store = Embedded::open(self.data.path(), Operations::default()).unwrap();
        let stored = store.get(id.tag().as_str(), &format!("run:{}", id.name())).await.unwrap().expect("a run");
        serde_json::from_value(Value::Object(stored.record)).unwrap()
    }

    /// Invokes a function as a host does, and gives the status and the time that it took.
    pub async fn invoke(&self, function: &str, message: &str, headers: &[(&str, &str)]) -> (u16, Duration) {
        let body = json!({"Data": {"ticket": Value::from(message).to_string()}, "Metadata": {}}).to_string();
        let chunks = stream::iter([Ok::<_, std::io::Error>(body)]);
        let mut request = self
            .client
            .post(format!("{}/{function}", self.base))
            .header(HOST, format!("127.0.0.1:{}", self.port))
            .header(USER_AGENT, "Azure-Functions-Host/4.1037.0.0")
            .header(TRANSFER_ENCODING, "chunked")
            .header("content-type", "application/json")
            .body(reqwest::Body::wrap_stream(chunks));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let begun = Instant::now();
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), begun.elapsed())
    }

    /// Delivers the run's present ticket, and gives the time that it took.
    pub async fn deliver(&self, id: &RunId, headers: &[(&str, &str)]) -> Duration {
        let ticket = self.run(id).await.ticket();
        let message = serde_json::to_string(&ticket).unwrap();
        let (status, took) = self.invoke(&format!("probe_{}", ticket.phase), &message, headers).await;
        assert_eq!(status, 200, "{}", self.said());
        took
    }

    /// Delivers until the run has ended, and gives the run and the time that each delivery took.
    pub async fn drain(&self, id: &RunId) -> (Run, Vec<Duration>) {
        let mut took = Vec::new();
        while !self.run(id).await.is_ended() {
            assert!(took.len() < 20, "it never ends: {}", self.said());
            took.push(self.deliver(id, &[]).await);
        }
        (self.run(id).await, took)
    }
}

fn collect(stream: impl Read + Send + 'static, said: &Arc<Mutex<Vec<String>>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            said.lock().unwrap().push(line);
        }
    });
}
