//! What is counted and measured. Histograms have bounds for seconds from a hundredth to an hour.

use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::dropped::Dropped;
use super::reader::Reader;
use super::{SCOPE, names};
use crate::engine::{Observation, Observer};
use crate::model::redact;
use crate::storage::{Operations, Spent};

const SECONDS: [f64; 17] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];

/// The instruments. They count for as long as this lives.
pub struct Meters {
    _provider: SdkMeterProvider,
    ended: Counter<u64>,
    phase: Histogram<f64>,
    age: Histogram<f64>,
    retries: Counter<u64>,
    poison: Counter<u64>,
    rounds: Counter<u64>,
    swept: Gauge<u64>,
    operations: Counter<u64>,
    lost: Counter<u64>,
    totals: Mutex<Totals>,
}

impl Meters {
    pub fn new(resource: Resource, readers: &[Reader], dropped: Dropped) -> Self {
        let provider = SdkMeterProvider::builder().with_resource(resource);
        let provider = readers.iter().fold(provider, |provider, reader| provider.with_reader(reader.clone())).build();
        let meter = provider.meter(SCOPE);
        let counter =
            |of: &names::Metric| meter.u64_counter(of.name).with_unit(of.unit).with_description(of.about).build();
        let seconds = |of: &names::Metric| {
            let histogram = meter.f64_histogram(of.name).with_unit(of.unit).with_description(of.about);
            histogram.with_boundaries(SECONDS.to_vec()).build()
        };
        let swept = names::SWEEP_RUNS;
        Self {
            ended: counter(&names::RUNS_ENDED),
            phase: seconds(&names::PHASE_DURATION),
            age: seconds(&names::QUEUE_AGE),
            retries: counter(&names::RETRIES),
            poison: counter(&names::POISON_MESSAGES),
            rounds: counter(&names::SWEEP_ROUNDS),
            swept: meter.u64_gauge(swept.name).with_unit(swept.unit).with_description(swept.about).build(),
            operations: counter(&names::STORAGE_OPERATIONS),
            lost: counter(&names::TELEMETRY_DROPPED),
            totals: Mutex::new(Totals {
                operations: None,
                spent: Spent::default(),
                lost: Dropped::default().counts(),
                dropped,
            }),
            _provider: provider,
        }
    }

    /// Counts what a storage performs from here on.
    pub fn watch(&self, operations: Operations) {
        self.totals().operations = Some(operations);
    }

    /// Takes over what others have counted. An instrument that asks them itself would tell zeros for as long as nothing
    /// happens, and each of them is paid for.
    pub fn sample(&self) {
        let totals = &mut *self.totals();
        let spent = totals.operations.as_ref().map(Operations::snapshot).unwrap_or_default();
        let new = spent - totals.spent;
        for (service, count) in names::SERVICES.into_iter().zip([new.table, new.queue, new.log]) {
            if count > 0 {
                self.operations.add(count, &[of(names::SERVICE, service)]);
            }
        }
        totals.spent = spent;
        let counts = totals.dropped.counts();
        for ((signal, count), (_, told)) in counts.into_iter().zip(totals.lost) {
            if count > told {
                self.lost.add(count - told, &[of(names::SIGNAL, signal)]);
            }
        }
        totals.lost = counts;
    }

    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What others count, and how much of it has been taken over.
struct Totals {
    operations: Option<Operations>,
    spent: Spent,
    dropped: Dropped,
    lost: [(&'static str, u64); 3],
}

impl Observer for Meters {
    fn observe(&self, observation: &Observation<'_>) {
        match *observation {
            Observation::Delivered { pipeline, phase, age } => {
                self.age.record(age.as_secs_f64(), &[of(names::PIPELINE, pipeline), of(names::PHASE, phase)]);
            }
            Observation::Answered { pipeline, phase, answer, took } => {
                let about = [of(names::PIPELINE, pipeline), of(names::PHASE, phase), of(names::ANSWER, answer)];
                self.phase.record(took.as_secs_f64(), &about);
            }
            Observation::Retried { pipeline, phase, code } => {
                self.retries.add(1, &[of(names::PIPELINE, pipeline), of(names::PHASE, phase), of(names::CODE, code)]);
            }
            Observation::Ended { pipeline, outcome, .. } => {
                self.ended.add(1, &[of(names::PIPELINE, pipeline), of(names::OUTCOME, outcome)]);
            }
            Observation::Poisoned { queue, kind } => {
                self.poison.add(1, &[of(names::QUEUE, queue), of(names::KIND, kind)])
            }
            Observation::Swept { live, late, stuck, unreadable } => {
                self.rounds.add(1, &[]);
                for (state, runs) in names::STATES.into_iter().zip([live, late, stuck, unreadable]) {
                    self.swept.record(runs, &[of(names::STATE, state)]);
                }
            }
        }
    }
}

fn of(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, redact(value))
}
