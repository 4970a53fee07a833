//! A small world with a clock of its own: the real engine over storage that fails, forgets to answer and stalls,
//! with messages that come twice, in any order and very late, and workers that die. Everything follows from a seed.

mod chaos;
mod checks;
mod client;
mod frozen;
mod injector;
mod storage;
mod workers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use windlass::engine::ports::Clock;
use windlass::engine::{Engine, Registry, Settings};
use windlass::model::Timestamp;

use super::recorder::Recorder;

#[allow(unused_imports)]
pub use chaos::{Chaos, Fault, Mode, Operation};
#[allow(unused_imports)]
pub use client::{drill, request, with_key};
#[allow(unused_imports)]
pub use frozen::Frozen;
#[allow(unused_imports)]
pub use injector::Injector;
#[allow(unused_imports)]
pub use storage::{Message, Tables};
#[allow(unused_imports)]
pub use workers::{Came, die, live};

pub struct World {
    pub tables: Arc<Mutex<Tables>>,
    pub chaos: Arc<Mutex<Chaos>>,
    /// What its engines have told.
    pub observed: Arc<Recorder>,
    changed: Arc<Notify>,
    clock: Arc<WorldClock>,
    registry: Registry,
}

/// The paused clock of the runtime, and the seed's randomness.
pub struct WorldClock {
    origin: tokio::time::Instant,
    random: Mutex<fastrand::Rng>,
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000) + self.origin.elapsed()
    }

    fn random(&self) -> u64 {
        self.random.lock().expect("the lock is never poisoned").u64(..)
    }
}

impl World {
    pub const LEASE: Duration = Duration::from_secs(90);
    pub const GRACE: Duration = Duration::from_secs(30);

    pub fn new(seed: u64, chaos: Chaos, registry: Registry) -> Self {
        Self::made(seed, chaos, |_| (registry, ())).0
    }

    /// A world with systems outside, which `set_up` puts where the same faults get at them.
    pub fn made<O>(seed: u64, chaos: Chaos, set_up: impl FnOnce(&Injector) -> (Registry, O)) -> (Self, O) {
        let random = Mutex::new(fastrand::Rng::with_seed(seed ^ 0x5eed));
        let clock = Arc::new(WorldClock { origin: tokio::time::Instant::now(), random });
        let chaos = Arc::new(Mutex::new(chaos));
        let (registry, outside) = set_up(&Injector { chaos: Arc::clone(&chaos), clock: Arc::clone(&clock) });
        let (tables, observed, changed) = Default::default();
        (Self { tables, chaos, observed, changed, clock, registry }, outside)
    }

    /// An engine as one process would have it.
    pub fn engine(&self, instance: &str) -> Engine {
        let storage = Arc::new(storage::Storage {
            tables: Arc::clone(&self.tables),
            changed: Arc::clone(&self.changed),
            injector: Injector { chaos: Arc::clone(&self.chaos), clock: Arc::clone(&self.clock) },
        });
        let settings =
            Settings { instance: instance.to_owned(), lease: Self::LEASE, grace: Self::GRACE, max_crashes: 5 };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Engine::new(self.registry.clone(), storage.clone(), storage.clone(), storage, clock, settings)
            .observed_by(self.observed.clone())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The world goes on without its chaos.
    pub fn calm(&self) {
        self.chaos.lock().expect("never poisoned").calm();
    }
}

/// Runs `body` on a clock that jumps to the next event whenever nothing else is to be done.
pub fn in_virtual_time<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be built")
        // A world is too large for the stack of a test's thread.
        .block_on(Box::pin(body))
}
