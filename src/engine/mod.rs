//! The pawl: hauls a run from phase to phase and never lets it slip back.
//! Knows neither HTTP nor Azure nor any pipeline.

mod announce;
mod chain;
mod chronicle;
mod closed;
pub mod context;
mod deliver;
mod documents;
mod finish;
mod held;
mod keys;
mod lease;
mod leave;
mod log;
mod meter;
pub mod observe;
mod open;
pub mod pipeline;
mod poison;
pub mod ports;
mod query;
mod retry;
mod rows;
mod schema;
mod start;
mod step;
mod sweep;
mod tell;
mod timer;
pub mod transition;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use chronicle::{Chronicle, ChronicleEntry};
pub use deliver::{Acknowledged, DeliveryError};
pub use documents::Updated;
pub use observe::{Observation, Observer};
pub use pipeline::{Outcome, Phase, PhaseError, PhaseSpec, Pipeline, PipelineSpec, Registry, Resume, ResumeFn};
pub use poison::Poisoned;
pub use query::RunPage;
pub use retry::RetryError;
pub use start::{NOT_QUEUED, StartError, StartRequest, Started};
pub use sweep::{Breach, SweepReport};
pub use tell::TellError;
pub use timer::{Timer, TimerSpec};

use crate::model::{Ticket, Timestamp};
use ports::{Clock, LogStore, RunStore, StoreError, TicketQueue};

/// The engine's bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this process in leases.
    pub instance: String,
    /// How long a claim holds without a renewal.
    pub lease: Duration,
    /// How long after its time a ticket may still be under way before the sweep sends it again.
    pub grace: Duration,
    /// Claims of one ticket that may end without a word before the run is ended.
    pub max_crashes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instance: "local".into(),
            lease: Duration::from_secs(90),
            grace: Duration::from_secs(30),
            max_crashes: 5,
        }
    }
}

#[derive(Clone)]
pub struct Engine {
    registry: Arc<Registry>,
    store: Arc<dyn RunStore>,
    queue: Arc<dyn TicketQueue>,
    logs: Arc<dyn LogStore>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    observer: Arc<dyn Observer>,
    /// By queue, why nobody listens to it.
    closed: Arc<BTreeMap<String, String>>,
}

impl Engine {
    pub fn new(
        registry: Registry,
        store: Arc<dyn RunStore>,
        queue: Arc<dyn TicketQueue>,
        logs: Arc<dyn LogStore>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        let (registry, observer) = (Arc::new(registry), Arc::new(observe::Nobody));
        Self { registry, store, queue, logs, clock, settings, observer, closed: Arc::default() }
    }

    /// Tells `observer` from here on; without one, nobody is told anything.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// By the clock that decides about runs.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Tickets sent further ahead than this are sent again when they come: a queue keeps a message for seven days.
    const FURTHEST_DELAY: Duration = Duration::from_secs(6 * 24 * 3600);

    /// A name for one write or one worker that no other bears.
    fn unique(&self) -> String {
        format!("{}-{:016x}", self.settings.instance, self.clock.random())
    }

    /// Sends the ticket that lets `pipeline` go on at `wake_at`. A lost reply may mean a second ticket, which seq fences.
    async fn send(&self, spec: &PipelineSpec, ticket: &Ticket, wake_at: Timestamp) -> Result<(), StoreError> {
        let delay = wake_at.since(self.clock.now()).min(Self::FURTHEST_DELAY);
        let queue = spec.queue(&ticket.phase);
        let mut tries = 0;
        loop {
            match self.queue.send(&queue, ticket, delay).await {
                Err(StoreError::Unavailable(_)) if tries < 2 => tries += 1,
                answer => return answer,
            }
        }
    }
}
