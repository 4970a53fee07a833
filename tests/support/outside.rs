//! A system that is not ours: named things that can be put again and again, and jobs that start anew with every call.
//! Its calls fail, stall and kill their callers just as storage's do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use windlass::engine::PhaseError;
use windlass::model::Timestamp;

use super::world::Injector;

/// Who calls, in an order that grows with every take-over: the run's seq, and the claim at that seq.
pub type Fence = (u64, u32);

#[derive(Clone, Debug)]
pub struct Job {
    pub tag: String,
    pub started_at: Timestamp,
}

#[derive(Default, Debug)]
pub struct Effects {
    /// How often each named thing was put, and by whom last.
    pub things: BTreeMap<String, (u32, Fence)>,
    /// A job's id is its place.
    pub jobs: Vec<Job>,
    /// The jobs that somebody waited for.
    pub asked: Vec<usize>,
    /// Calls that came from a caller of old.
    pub fenced: u32,
}

#[derive(Clone)]
pub struct Outside {
    injector: Injector,
    effects: Arc<Mutex<Effects>>,
}

impl Outside {
    pub const JOB_TAKES: Duration = Duration::from_secs(20);

    pub fn new(injector: &Injector) -> Self {
        Self { injector: injector.clone(), effects: Arc::default() }
    }

    /// What has come of all calls.
    pub fn effects<T>(&self, look: impl FnOnce(&Effects) -> T) -> T {
        look(&self.effects.lock().expect("never poisoned"))
    }

    async fn call<T>(
        &self,
        name: String,
        effect: impl FnOnce(&mut Effects, Timestamp) -> Result<T, PhaseError>,
    ) -> Result<T, PhaseError> {
        let silence = || PhaseError::retryable("outside_silent", "the system outside did not answer");
        let on_effects = || effect(&mut self.effects.lock().expect("never poisoned"), self.injector.clock().now());
        self.injector.operate(format!("outside {name}"), silence, on_effects).await
    }

    /// Makes the thing be there, however often it is called; a caller of old is turned away.
    pub async fn put(&self, thing: &str, fence: Fence) -> Result<(), PhaseError> {
        self.call(format!("put {thing}"), |effects, _| {
            let (puts, last) = effects.things.entry(thing.to_owned()).or_default();
            if *last > fence {
                effects.fenced += 1;
                return Err(PhaseError::LeaseLost);
            }
            (*puts, *last) = (*puts + 1, fence);
            Ok(())
        })
        .await
    }

    /// Starts one more job, every time.
    pub async fn start(&self, tag: &str) -> Result<usize, PhaseError> {
        self.call(format!("start {tag}"), |effects, started_at| {
            effects.jobs.push(Job { tag: tag.to_owned(), started_at });
            Ok(effects.jobs.len() - 1)
        })
        .await
    }

    pub async fn find(&self, tag: &str) -> Result<Option<usize>, PhaseError> {
        self.call(format!("find {tag}"), |effects, _| Ok(effects.jobs.iter().position(|job| job.tag == tag))).await
    }

    pub async fn is_done(&self, id: usize) -> Result<bool, PhaseError> {
        self.call(format!("ask {id}"), |effects, now| {
            effects.asked.push(id);
            Ok(effects.jobs[id].started_at + Self::JOB_TAKES <= now)
        })
        .await
    }
}
