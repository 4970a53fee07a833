//! A host, a recording handler as its child, and a script that says what the handler does.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use windlass::dev::host::{Host, HostError, HostOptions, HttpMode, Level, Voice, start};

use crate::handler::{CONTROL, Report, Request, Step, bytes, latin1};
use crate::store::Store;

type Script = dyn Fn(&Request) -> Vec<Step> + Send + Sync;
type Starts = dyn Fn(usize) -> Vec<Step> + Send + Sync;

const LIMIT: Duration = Duration::from_secs(20);

pub struct Setup {
    pub host_json: Value,
    pub functions: Vec<(String, Value)>,
    pub environment: Vec<(String, String)>,
    pub http: HttpMode,
    pub store: Arc<Store>,
    pub script: Arc<Script>,
    /// What the handler does when it starts for the nth time, from 1, before it listens.
    pub starts: Arc<Starts>,
    pub root: TempDir,
}

impl Setup {
    pub fn new(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self {
            host_json: json!({
                "version": "2.0",
                "extensions": {"http": {"routePrefix": ""}, "queues": {"maxPollingInterval": "00:00:00.100"}},
                "customHandler": {
                    "description": {"defaultExecutablePath": "handler", "arguments": ["handler_process", "--exact --nocapture"]},
                    "enableForwardingHttpRequest": true
                }
            }),
            functions: Vec::new(),
            environment: Vec::new(),
            http: HttpMode::Forwarding,
            store: Store::polled(),
            script: Arc::new(script),
            starts: Arc::new(|_| Vec::new()),
            root: tempfile::tempdir().unwrap(),
        }
    }

    pub fn function(mut self, name: &str, bindings: Value) -> Self {
        self.functions.push((name.to_owned(), json!({"bindings": bindings})));
        self
    }

    /// Catches everything at the root.
    pub fn catch_all(self) -> Self {
        self.function("web", http("{*rest}"))
    }

    pub fn queues(mut self, settings: Value) -> Self {
        for (name, value) in settings.as_object().unwrap() {
            self.host_json["extensions"]["queues"][name] = value.clone();
        }
        self
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub async fn try_start(self) -> Result<Rig, HostError> {
        let root = self.root.path();
        std::fs::write(root.join("host.json"), self.host_json.to_string()).unwrap();
        for (name, function) in &self.functions {
            std::fs::create_dir_all(root.join(name)).unwrap();
            std::fs::write(root.join(name).join("function.json"), function.to_string()).unwrap();
        }
        let control = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut environment = self.environment.clone();
        environment.push((CONTROL.to_owned(), control.local_addr().unwrap().to_string()));
        let (requests, received) = mpsc::unbounded_channel();
        let (started, starts) = mpsc::unbounded_channel();
        tokio::spawn(serve(control, self.script.clone(), self.starts.clone(), requests, started));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sink, line_said) = (Arc::clone(&lines), Arc::new(tokio::sync::Notify::new()));
        let said = Arc::clone(&line_said);
        let host = start(HostOptions {
            script_root: root.to_owned(),
            functions_dir: root.to_owned(),
            handler: std::env::current_exe().unwrap(),
            port: 0,
            environment,
            http: self.http,
            queues: self.store.clone(),
            timers_dir: root.join("timers"),
            voice: Voice::new(move |level, line| {
                sink.lock().unwrap().push((level, line.to_owned()));
                said.notify_waiters();
            }),
        })
        .await?;
        Ok(Rig { host, store: self.store, requests: received, starts, lines, line_said, root: self.root })
    }

    pub async fn start(self) -> Rig {
        self.try_start().await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Bindings of an HTTP function that takes every method.
pub fn http(route: &str) -> Value {
    json!([
        {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous", "route": route},
        {"type": "http", "direction": "out", "name": "res"}
    ])
}

/// Bindings of the captures' queue function.
pub fn queue(name: &str) -> Value {
    json!([
        {"type": "queueTrigger", "direction": "in", "name": "msg", "queueName": name, "connection": "AzureWebJobsStorage"},
        {"type": "queue", "direction": "out", "name": "out", "queueName": "results", "connection": "AzureWebJobsStorage"}
    ])
}

pub fn answer(head: &str, body: &str) -> Vec<Step> {
    vec![Step::Write(format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()))]
}

pub fn json_answer(body: &str) -> Vec<Step> {
    answer("200 OK\r\nContent-Type: application/json", body)
}

pub fn success() -> Vec<Step> {
    json_answer(r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#)
}

async fn serve(
    control: TcpListener,
    script: Arc<Script>,
    starts: Arc<Starts>,
    requests: mpsc::UnboundedSender<Request>,
    started: mpsc::UnboundedSender<Report>,
) {
    let count = Arc::new(Mutex::new(0));
    while let Ok((stream, _)) = control.accept().await {
        let (script, starts, requests) = (script.clone(), starts.clone(), requests.clone());
        let (started, count) = (started.clone(), count.clone());
        tokio::spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let report: Report = serde_json::from_str(&line).unwrap();
                let steps = match &report {
                    Report::Started { .. } => {
                        let nth = {
                            let mut count = count.lock().unwrap();
                            *count += 1;
                            *count
                        };
                        let _ = started.send(report);
                        starts(nth)
                    }
                    Report::Request(request) if request.is_probe() => answer("200 OK", ""),
                    Report::Request(request) => {
                        let _ = requests.send(request.clone());
                        script(request)
                    }
                };
                let _ = writer.write_all((serde_json::to_string(&steps).unwrap() + "\n").as_bytes()).await;
            }
        });
    }
}

pub struct Rig {
    pub host: Host,
    pub store: Arc<Store>,
    pub requests: mpsc::UnboundedReceiver<Request>,
    pub starts: mpsc::UnboundedReceiver<Report>,
    lines: Arc<Mutex<Vec<(Level, String)>>>,
    line_said: Arc<tokio::sync::Notify>,
    pub root: TempDir,
}

impl Rig {
    /// The next request that the handler got, the host's question whether it is up left out.
    pub async fn next(&mut self) -> Request {
        within("a request to the handler", self.requests.recv()).await.unwrap()
    }

    pub fn nothing_came(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }

    pub async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.host.address()).await.unwrap())
    }

    /// Sends bytes, ends the sending side if `end` says so, and reads until the host closes.
    pub async fn exchange(&self, sent: &str, end: bool) -> String {
        let mut client = self.connect().await;
        client.send(sent).await;
        if end {
            client.0.shutdown().await.unwrap();
        }
        client.rest().await
    }

    /// Waits until the host has said a line that contains every part.
    pub async fn said(&self, parts: &[&str]) -> (Level, String) {
        let wait = async {
            loop {
                let said = self.line_said.notified();
                tokio::pin!(said);
                said.as_mut().enable();
                let found = self
                    .lines
                    .lock()
                    .unwrap()
                    .iter()
                    .find(|(_, line)| parts.iter().all(|part| line.contains(part)))
                    .cloned();
                if let Some(found) = found {
                    return found;
                }
                said.await;
            }
        };
        match tokio::time::timeout(LIMIT, wait).await {
            Ok(found) => found,
            Err(_) => panic!("the host never said {parts:?}; it said {:#?}", self.lines()),
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }
}

pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("{what} never came"))
}

/// A client that speaks bytes.
pub struct Client(pub TcpStream);

impl Client {
    pub async fn send(&mut self, text: &str) {
        self.0.write_all(&bytes(text)).await.unwrap();
    }

    /// Everything until the host closes.
    pub async fn rest(&mut self) -> String {
        let mut got = Vec::new();
        let _ = within("the end of the connection", self.0.read_to_end(&mut got)).await;
        latin1(&got)
    }

    /// One answer that has a Content-Length: its head and its body.
    pub async fn answer(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("a head", self.0.read_u8()).await.expect("a head"));
        }
        let head = latin1(&head);
        let length = field(&head, "Content-Length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        within("a body", self.0.read_exact(&mut body)).await.unwrap();
        (head, latin1(&body))
    }
}

pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

/// The lines of a fixture file.
pub fn captures(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures").join(file);
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The text with everything that differs from run to run made equal: ids, times, receipts, ports.
pub fn normal(text: &str) -> String {
    let forms = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r#""PopReceipt":"\\"[A-Za-z0-9+/=<>-]{4,}\\"""#, r#""PopReceipt":"<receipt>""#),
        (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(\+00:00|Z)", "<time>$2"),
        (r"127\.0\.0\.1:\d+", "<host>"),
        (r"Date: \w{3}, \d\d \w{3} 20(?:2[5-9]|[3-9]\d) \d\d:\d\d:\d\d GMT", "Date: <date>"),
    ];
    forms.iter().fold(text.to_owned(), |text, (form, with)| {
        regex::Regex::new(form).unwrap().replace_all(&text, *with).into_owned()
    })
}
