//! What the host is started with, and how it may end.

use std::path::PathBuf;
use std::sync::Arc;

use super::queues::QueueSource;
use super::voice::Voice;

/// Which of the real hosts is played: those that know `enableProxyingHttpRequest` stream, the measured one does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HttpMode {
    Forwarding,
    Proxying,
}

pub struct HostOptions {
    /// The folder with host.json; the handler's working directory.
    pub script_root: PathBuf,
    /// The folder whose immediate children hold a function.json.
    pub functions_dir: PathBuf,
    /// The handler's program; host.json's arguments are given to it.
    pub handler: PathBuf,
    /// 0 for any.
    pub port: u16,
    /// For the handler and for `%setting%`, over the host's own environment.
    pub environment: Vec<(String, String)>,
    pub http: HttpMode,
    pub queues: Arc<dyn QueueSource>,
    /// Where timers keep their status.
    pub timers_dir: PathBuf,
    pub voice: Voice,
}

/// Why the host ended by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// SIGINT or SIGTERM.
    Signal,
    /// The handler crashed three times within 30 minutes. The process should end with a code other than 0.
    HandlerCrashed,
}
