//! The handler process: started with a port of its own, asked until it answers, started again when it dies.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::endpoint::Endpoint;
use super::handler::{ChildEnd, Order, State};
use super::voice::{Level, Voice};

const PROBE_EVERY: Duration = Duration::from_millis(25);
/// Abnormal exits within this time of each other …
const CRASH_WINDOW: Duration = Duration::from_secs(30 * 60);
/// … that end the host.
const CRASHES: usize = 3;
/// The exit code that asks for a restart and is not counted.
const RESTART_ME: i32 = 200;

pub struct ChildSettings {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// The working directory.
    pub root: PathBuf,
    pub environment: Vec<(String, String)>,
    pub initialization_timeout: Duration,
}

/// Keeps the process alive, and tells how it is.
pub struct Keeper {
    settings: ChildSettings,
    voice: Voice,
    state: watch::Sender<State>,
    orders: mpsc::Receiver<Order>,
    crashes: Vec<Instant>,
    pid: Arc<AtomicU32>,
}

enum Left {
    Exited(ExitStatus),
    /// It did not answer in time and was killed.
    Silent,
    /// The host is to end.
    Stop,
}

impl Keeper {
    pub fn new(
        settings: ChildSettings,
        voice: Voice,
        state: watch::Sender<State>,
        orders: mpsc::Receiver<Order>,
        pid: Arc<AtomicU32>,
    ) -> Self {
        Self { settings, voice, state, orders, crashes: Vec::new(), pid }
    }

    pub async fn keep(mut self) -> ChildEnd {
        loop {
            let left = self.live().await;
            self.pid.store(0, Ordering::Release);
            self.state.send_replace(State::Starting);
            let pause = match left {
                Left::Stop => {
                    self.state.send_replace(State::Gone);
                    return ChildEnd::Stopped;
                }
                Left::Silent => Duration::ZERO,
                Left::Exited(status) if status.code() == Some(0) => {
                    self.state.send_replace(State::Gone);
                    self.voice.complain(
                        "the handler exited with code 0, which the real host never restarts: every request is now answered \
                         with an empty 500. A fatal error at start must exit with another code; start this host again",
                    );
                    return self.wait_for_stop().await;
                }
                Left::Exited(status) if status.code() == Some(RESTART_ME) => {
                    self.voice.say("the handler asked to be restarted (exit code 200)");
                    Duration::from_millis(fastrand::u64(50..=90))
                }
                Left::Exited(status) => {
                    let now = Instant::now();
                    self.crashes.retain(|crash| now.duration_since(*crash) < CRASH_WINDOW);
                    self.crashes.push(now);
                    let count = self.crashes.len();
                    if count >= CRASHES {
                        self.state.send_replace(State::Gone);
                        self.voice.complain(&format!(
                            "the handler ended ({status}) for the {count}rd time within 30 minutes; the host gives up, as the \
                             real one does. Its lines above say why"
                        ));
                        return ChildEnd::Crashed;
                    }
                    self.voice.complain(&format!(
                        "the handler ended ({status}); crash {count} of {CRASHES} that end the host. Restarting it"
                    ));
                    Duration::from_millis(fastrand::u64(50..=90))
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn wait_for_stop(&mut self) -> ChildEnd {
        while let Some(order) = self.orders.recv().await {
            if matches!(order, Order::Stop) {
                break;
            }
        }
        ChildEnd::Stopped
    }

    /// One life of the process.
    async fn live(&mut self) -> Left {
        let (mut child, endpoint) = match self.spawn() {
            Ok(started) => started,
            Err(error) => {
                let program = self.settings.program.display();
                self.voice.complain(&format!("cannot start the handler {program}: {error}; trying again in a second"));
                tokio::time::sleep(Duration::from_secs(1)).await;
                return if self.stop_was_ordered() { Left::Stop } else { Left::Silent };
            }
        };
        self.pid.store(child.id().unwrap_or(0), Ordering::Release);
        let limit = tokio::time::sleep(self.settings.initialization_timeout);
        tokio::pin!(limit);
        let probe = probe(&endpoint);
        tokio::pin!(probe);
        let mut answered = false;
        let mut doomed: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                biased;
                status = child.wait() => {
                    return status.map_or(Left::Silent, Left::Exited);
                }
                order = self.orders.recv() => match order {
                    Some(Order::Kill { endpoint: of, after }) if Arc::ptr_eq(&of, &endpoint) => {
                        doomed.get_or_insert(tokio::time::Instant::now() + after);
                    }
                    Some(Order::Kill { .. }) => {}
                    Some(Order::Stop) | None => {
                        let _ = child.kill().await;
                        return Left::Stop;
                    }
                },
                () = &mut probe, if !answered => {
                    answered = true;
                    self.state.send_replace(State::Ready(Arc::clone(&endpoint)));
                }
                () = &mut limit, if !answered => {
                    self.voice.complain(&format!(
                        "the handler has not answered on {} within {:?}; it must listen on 127.0.0.1 and the port in \
                         FUNCTIONS_CUSTOMHANDLER_PORT. Killing and restarting it",
                        endpoint.authority, self.settings.initialization_timeout
                    ));
                    let _ = child.kill().await;
                    return Left::Silent;
                }
                () = at(doomed) => {
                    doomed = None;
                    let _ = child.start_kill();
                }
            }
        }
    }

    fn stop_was_ordered(&mut self) -> bool {
        while let Ok(order) = self.orders.try_recv() {
            if matches!(order, Order::Stop) {
                return true;
            }
        }
        self.orders.is_closed()
    }

    fn spawn(&self) -> std::io::Result<(Child, Arc<Endpoint>)> {
        let port = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let worker = uuid::Uuid::new_v4().to_string();
        let mut command = Command::new(&self.settings.program);
        command
            .args(&self.settings.arguments)
            .current_dir(&self.settings.root)
            .envs(self.settings.environment.iter().map(|(name, value)| (name, value)))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("FUNCTIONS_HTTPWORKER_PORT", port.to_string())
            .env("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &worker)
            .env("FUNCTIONS_HTTPWORKER_ID", &worker)
            .env("FUNCTIONS_APP_ROOT_PATH", &self.settings.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(relay(stdout, Level::Information, self.voice.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(relay(stderr, Level::Error, self.voice.clone()));
        }
        Ok((child, Arc::new(Endpoint::new(port))))
    }
}

async fn at(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Asks `GET /` until any answer comes.
async fn probe(endpoint: &Endpoint) {
    loop {
        let mut head = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", endpoint.authority).into_bytes();
        if endpoint.call(b"GET", &mut head, None).await.is_ok() {
            return;
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

/// Passes a stream on line by line, whatever its bytes are.
async fn relay(stream: impl AsyncRead + Unpin, level: Level, voice: Voice) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
        voice.relay(level, String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
        line.clear();
    }
}
