//! What is counted and measured. Histograms have bounds for seconds from a hundredth to an hour.

use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::SCOPE;
use super::dropped::Dropped;
use super::reader::Reader;
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
        let counter = |name: &'static str, unit: &'static str, about: &'static str| {
            meter.u64_counter(name).with_unit(unit).with_description(about).build()
        };
        let seconds = |name: &'static str, about: &'static str| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(about);
            histogram.with_boundaries(SECONDS.to_vec()).build()
        };
        Self {
            ended: counter("windlass.runs.ended", "{run}", "Runs that have ended"),
            phase: seconds("windlass.phase.duration", "From the claim of a run to what was committed"),
            age: seconds("windlass.queue.age", "From when a ticket was due to its delivery"),
            retries: counter("windlass.retries", "{retry}", "Phases that are to be tried again"),
            poison: counter("windlass.poison.messages", "{message}", "Messages that were delivered too often"),
            rounds: counter("windlass.sweep.rounds", "{round}", "Rounds of the sweep"),
            swept: meter
                .u64_gauge("windlass.sweep.runs")
                .with_unit("{run}")
                .with_description("Runs at a round")
                .build(),
            operations: counter(
                "windlass.storage.operations",
                "{operation}",
                "Operations of the storage, as Azure bills them",
            ),
            lost: counter("windlass.telemetry.dropped", "{item}", "Spans, lines and data points that nobody took"),
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
        for (service, count) in [("table", new.table), ("queue", new.queue), ("blob", new.log)] {
            if count > 0 {
                self.operations.add(count, &[of("windlass.service", service)]);
            }
        }
        totals.spent = spent;
        let counts = totals.dropped.counts();
        for ((signal, count), (_, told)) in counts.into_iter().zip(totals.lost) {
            if count > told {
                self.lost.add(count - told, &[of("windlass.signal", signal)]);
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
                self.age.record(age.as_secs_f64(), &[of("windlass.pipeline", pipeline), of("windlass.phase", phase)]);
            }
            Observation::Answered { pipeline, phase, answer, took } => {
                let about =
                    [of("windlass.pipeline", pipeline), of("windlass.phase", phase), of("windlass.answer", answer)];
                self.phase.record(took.as_secs_f64(), &about);
            }
            Observation::Retried { pipeline, phase, code } => {
                self.retries.add(
                    1,
                    &[of("windlass.pipeline", pipeline), of("windlass.phase", phase), of("windlass.code", code)],
                );
            }
            Observation::Ended { pipeline, outcome, .. } => {
                self.ended.add(1, &[of("windlass.pipeline", pipeline), of("windlass.outcome", outcome)]);
            }
            Observation::Poisoned { queue, kind } => {
                self.poison.add(1, &[of("windlass.queue", queue), of("windlass.kind", kind)])
            }
            Observation::Swept { live, late, stuck, unreadable } => {
                self.rounds.add(1, &[]);
                for (state, runs) in [("live", live), ("late", late), ("stuck", stuck), ("unreadable", unreadable)] {
                    self.swept.record(runs, &[of("windlass.state", state)]);
                }
            }
        }
    }
}

fn of(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, redact(value))
}
