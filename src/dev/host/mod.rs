//! The local Functions host: speaks the measured protocol of the real host (v4, custom handlers) to a handler process.
//!
//! It reads `host.json` and `<function>/function.json`, starts the handler, passes HTTP requests on, listens to queues
//! and fires timers. It hosts any custom handler and knows nothing of what Windlass does. It listens on loopback only,
//! and every authorization level is open, as under `func start`.
//!
//! # Where it differs from the real host, and why
//!
//! The real host swallows or hangs on several mistakes. A developer should hear of them at once:
//!
//! | mistake | the real host | here |
//! |---|---|---|
//! | host.json or function.json is wrong, or has a key that nobody knows | stops, puts one function in error, or ignores it | does not start, and tells every fault at once |
//! | an answer of 204, an empty body or `null` to an invocation | never ends the invocation | the invocation fails |
//! | an output that function.json does not have | ignored | the invocation fails |
//! | a text output that happens to be base64 | enqueues the decoded bytes | the invocation fails |
//! | a plain message while messageEncoding is base64 | to the poison queue, a line at most | the same, and a line that says what to set |
//! | a chunked request under forwarding | empty 500 | the same, and a line |
//! | functionTimeout | kills the handler | the same, and a line that names the function |
//! | exit code 0 | never restarted, everything fails | the same for requests, and a line; queues are left alone |
//! | the third crash in 30 minutes | the host ends with code 0 | [`Host::stopped`] tells [`StopReason::HandlerCrashed`] |
//! | the handler's file is missing | runs on, every request hangs | does not start |
//! | the host's end | after a wait that was cut off the handler lives on | the handler dies with [`Host::shutdown`] |
//! | schedules | local time | UTC, as on Azure |
//! | keys (`x-functions-key`, `?code=`) | asked for on Azure | never asked for |
//!
//! Storage that can ring ([`QueueSource::doorbell`]) is not polled at all: a message is received as soon as it shows.
//!
//! # Map
//!
//! `settings`, `bindings` (with `names`) and `environment` read files into `functions`; `faults` collects what is wrong in them, `judge` has nothing
//! but that. `child` keeps the handler's
//! process, `handler` is what the others see of it, `endpoint` its connections, `wire` and `heads` the bytes. `server` reads
//! requests, `routes` finds their function, `forward`, `proxy` and `unforwarded` pass them on, `headers` and `uri` know what
//! happens to them on the way, `admin` is the host's own. `queue` listens to a queue behind `queues`, `timer` fires by
//! `ncrontab`; both make an `envelope`, the `invoker` sends it, and `answer` says what came of it.

mod admin;
mod answer;
mod bindings;
mod child;
mod endpoint;
mod envelope;
mod environment;
mod faults;
mod forward;
mod functions;
mod handler;
mod headers;
mod heads;
#[expect(clippy::module_inception, reason = "the host itself, beside its parts")]
mod host;
mod invoker;
mod judge;
mod moment;
mod names;
mod ncrontab;
mod options;
mod ordered;
mod proxy;
mod queue;
mod queues;
mod response;
mod routes;
mod server;
mod settings;
mod timer;
mod unforwarded;
mod uri;
mod voice;
mod wire;

pub use environment::{local_settings, values_of};
pub use faults::HostError;
pub use host::{Host, signalled, start};
pub use judge::judge;
pub use options::{HostOptions, HttpMode, StopReason};
pub use queues::{Doorbell, QueueMessage, QueueSource, QueueSourceError};
pub use voice::{Level, Voice};
