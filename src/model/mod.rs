//! The persisted truth: what a run is, what it may become, and what is said about it. No I/O.

mod event;
mod failure;
mod ids;
mod receipt;
mod retry;
mod run;
mod ticket;
mod timestamp;

pub use event::{Event, EventKind, GENESIS};
pub use failure::{Failure, redact};
pub use ids::{BadId, RunId, Scope, ScopeTag};
pub use receipt::Receipt;
pub use retry::RetryPolicy;
pub use run::{CancelRequest, End, Fallback, Lease, LogExtents, Progress, Run, Status, Verdict, Wake};
pub use ticket::{Misread, Ticket};
pub use timestamp::Timestamp;
