//! Puts the host together, and takes it apart again.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::Admin;
use super::bindings;
use super::child::ChildSettings;
use super::environment::Environment;
use super::faults::{Faults, HostError};
use super::functions::{Function, Trigger};
use super::handler::{ChildEnd, Handler};
use super::invoker::Invoker;
use super::options::{HostOptions, HttpMode, StopReason};
use super::queue::Listener;
use super::queues::{Doorbell, QueueSource};
use super::routes::Routes;
use super::server::{Passing, Server};
use super::settings::{self, HostSettings};
use super::timer::Timer;
use super::voice::Voice;

/// Running invocations are awaited so long at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// A running host. Dropping it ends it at once; [`Host::shutdown`] lets it finish its work.
pub struct Host {
    address: SocketAddr,
    handler: Handler,
    closing: CancellationToken,
    running: TaskTracker,
    voice: Voice,
}

/// Reads the settings, starts the handler and listens on loopback. Requests wait until the handler answers.
pub async fn start(options: HostOptions) -> Result<Host, HostError> {
    let environment = Environment::with(&options.environment);
    let mut faults = Faults::default();
    let settings = settings::read(&options.script_root, &environment, &mut faults);
    let functions = bindings::read(&options.functions_dir, &settings.route_prefix, &environment, &mut faults);
    let root = absolute(&options.script_root);
    let program = absolute(&options.handler);
    if !program.is_file() {
        faults.add(&program.display().to_string(), "is no program; build the handler first");
    }
    faults.into_result(())?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listen = async { TcpListener::bind(address).await.and_then(|port| Ok((port.local_addr()?, port))) };
    let (address, port) = listen.await.map_err(|error| HostError::Listen { address, error })?;

    let handler = Handler::start(
        ChildSettings {
            program,
            arguments: settings.arguments.clone(),
            root,
            environment: options.environment,
            initialization_timeout: settings.initialization_timeout,
        },
        options.voice.clone(),
    );
    let host = Host {
        address,
        handler: handler.clone(),
        closing: CancellationToken::new(),
        running: TaskTracker::new(),
        voice: options.voice.clone(),
    };
    let invoker = Arc::new(Invoker {
        handler,
        queues: Arc::clone(&options.queues),
        encoding: settings.queues.encoding,
        timeout: settings.function_timeout,
        voice: options.voice,
    });
    let functions: Vec<Arc<Function>> = functions.into_iter().map(Arc::new).collect();
    for function in functions.iter().filter(|function| function.disabled) {
        host.voice.say(&format!("function '{}' is disabled", function.name));
    }
    host.listen_to_queues(&functions, &settings, &options.queues, &invoker);
    let timers = host.start_timers(&functions, &options.timers_dir, &invoker);
    let passing = match options.http {
        HttpMode::Proxying if settings.proxying => Passing::Proxying,
        _ if settings.forwarding => Passing::Forwarding,
        _ => Passing::Invoking,
    };
    let server = Arc::new(Server {
        routes: Routes::new(&functions),
        passing,
        admin: Admin { functions, timers, invoker: Arc::clone(&invoker), running: host.running.clone() },
        invoker,
        closing: host.closing.clone(),
    });
    host.serve(port, server);
    Ok(host)
}

fn absolute(path: &std::path::Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Host {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handler's process, while there is one.
    pub fn child_pid(&self) -> Option<u32> {
        self.handler.pid()
    }

    /// Resolves when the host cannot or should not go on; [`Host::shutdown`] is next.
    pub async fn stopped(&mut self) -> StopReason {
        tokio::select! {
            () = crashed(&self.handler) => StopReason::HandlerCrashed,
            () = signalled() => StopReason::Signal,
        }
    }

    /// Closes the port, awaits running invocations for 10 s, kills the handler.
    pub async fn shutdown(self) {
        self.closing.cancel();
        self.running.close();
        if tokio::time::timeout(FAREWELL, self.running.wait()).await.is_err() {
            self.voice.complain("invocations are still running after 10 s; they are cut off, as by the real host");
        }
        self.handler.stop().await;
    }

    fn serve(&self, port: TcpListener, server: Arc<Server>) {
        let (closing, running) = (self.closing.clone(), self.running.clone());
        tokio::spawn(async move {
            while let Some(accepted) = closing.run_until_cancelled(port.accept()).await {
                match accepted {
                    Ok((stream, _)) => {
                        running.spawn(Arc::clone(&server).serve(stream));
                    }
                    // Out of file descriptors, or a client that was gone at once: neither ends the host.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
    }

    fn listen_to_queues(
        &self,
        functions: &[Arc<Function>],
        settings: &HostSettings,
        source: &Arc<dyn QueueSource>,
        invoker: &Arc<Invoker>,
    ) {
        let mut bells: HashMap<String, Vec<Arc<Notify>>> = HashMap::new();
        let doorbell = source.doorbell();
        for function in functions.iter().filter(|function| !function.disabled) {
            let Trigger::Queue { queue } = &function.trigger else { continue };
            let bell = doorbell.is_some().then(|| Arc::new(Notify::new()));
            if let Some(bell) = &bell {
                bells.entry(queue.clone()).or_default().push(Arc::clone(bell));
            }
            let listener = Listener {
                function: Arc::clone(function),
                queue: queue.clone(),
                settings: settings.queues.clone(),
                source: Arc::clone(source),
                invoker: Arc::clone(invoker),
                bell,
                closing: self.closing.clone(),
                running: self.running.clone(),
            };
            self.running.spawn(listener.run());
        }
        if let Some(doorbell) = doorbell {
            tokio::spawn(ring(doorbell, bells, self.closing.clone()));
        }
    }

    fn start_timers(
        &self,
        functions: &[Arc<Function>],
        folder: &std::path::Path,
        invoker: &Arc<Invoker>,
    ) -> HashMap<String, Arc<Timer>> {
        let mut timers = HashMap::new();
        for function in functions {
            let Trigger::Timer(trigger) = &function.trigger else { continue };
            let timer = Arc::new(Timer {
                function: Arc::clone(function),
                trigger: trigger.clone(),
                folder: folder.to_owned(),
                invoker: Arc::clone(invoker),
                closing: self.closing.clone(),
                turn: Mutex::new(()),
            });
            if !function.disabled {
                self.running.spawn(Arc::clone(&timer).run());
            }
            timers.insert(function.name.clone(), timer);
        }
        timers
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// Passes every ring on to the listeners of its queue.
async fn ring(mut doorbell: Box<dyn Doorbell>, bells: HashMap<String, Vec<Arc<Notify>>>, closing: CancellationToken) {
    while let Some(queue) = closing.run_until_cancelled(doorbell.rung()).await {
        for bell in bells.get(&queue).into_iter().flatten() {
            bell.notify_one();
        }
    }
}

async fn crashed(handler: &Handler) {
    while handler.ended().await != ChildEnd::Crashed {
        std::future::pending::<()>().await;
    }
}

/// SIGINT or SIGTERM; never where signals cannot be listened to.
pub fn signalled() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{SignalKind, signal};
    let listening = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = listening else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
