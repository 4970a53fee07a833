//! What those who watch call things. The queries below `infra/` are held to these names.

/// How a metric's values are put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Values add up.
    Counter,
    /// The last value counts.
    Gauge,
    /// Values are kept as count, sum, least and most.
    Histogram,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: &'static str,
    pub about: &'static str,
    pub attributes: &'static [&'static str],
}

pub const ANSWER: &str = "windlass.answer";
pub const ATTEMPT: &str = "windlass.attempt";
pub const CODE: &str = "windlass.code";
pub const ERROR: &str = "windlass.error";
pub const INVOCATION: &str = "windlass.invocation";
pub const KIND: &str = "windlass.kind";
pub const OPERATION: &str = "windlass.operation";
pub const OUTCOME: &str = "windlass.outcome";
pub const PHASE: &str = "windlass.phase";
pub const PIPELINE: &str = "windlass.pipeline";
pub const QUEUE: &str = "windlass.queue";
pub const RUN: &str = "windlass.run";
pub const SEQ: &str = "windlass.seq";
pub const SERVICE: &str = "windlass.service";
pub const SIGNAL: &str = "windlass.signal";
pub const STATE: &str = "windlass.state";
pub const TIMER: &str = "windlass.timer";

/// All attributes of ours, of spans and of metrics.
pub const ATTRIBUTES: [&str; 17] = [
    ANSWER, ATTEMPT, CODE, ERROR, INVOCATION, KIND, OPERATION, OUTCOME, PHASE, PIPELINE, QUEUE, RUN, SEQ, SERVICE,
    SIGNAL, STATE, TIMER,
];
/// What a span of a delivery says.
pub const DELIVERY: [&str; 7] = [RUN, PIPELINE, PHASE, ATTEMPT, SEQ, INVOCATION, ANSWER];

/// The services of the storage account.
pub const SERVICES: [&str; 3] = ["table", "queue", "blob"];
/// What a sweep finds runs to be.
pub const STATES: [&str; 4] = ["live", "late", "stuck", "unreadable"];

pub const RUNS_ENDED: Metric =
    counter("windlass.runs.ended", "{run}", "Runs that have come to their end", &[PIPELINE, OUTCOME]);
pub const PHASE_DURATION: Metric = histogram(
    "windlass.phase.duration",
    "From the claim of a run to the commit of its phase's answer",
    &[PIPELINE, PHASE, ANSWER],
);
pub const QUEUE_AGE: Metric =
    histogram("windlass.queue.age", "From when a ticket was due until its delivery began", &[PIPELINE, PHASE]);
pub const RETRIES: Metric =
    counter("windlass.retries", "{retry}", "Failures after which a phase is tried again", &[PIPELINE, PHASE, CODE]);
pub const POISON_MESSAGES: Metric =
    counter("windlass.poison.messages", "{message}", "Messages that were delivered too often", &[QUEUE, KIND]);
pub const STORAGE_OPERATIONS: Metric =
    counter("windlass.storage.operations", "{operation}", "Operations on the storage account", &[SERVICE]);
pub const SWEEP_ROUNDS: Metric =
    counter("windlass.sweep.rounds", "{round}", "Rounds of the sweep that came to their end", &[]);
pub const SWEEP_RUNS: Metric = Metric {
    name: "windlass.sweep.runs",
    kind: Kind::Gauge,
    unit: "{run}",
    about: "Runs that the last round of the sweep found",
    attributes: &[STATE],
};
pub const TELEMETRY_DROPPED: Metric =
    counter("windlass.telemetry.dropped", "{item}", "Telemetry that was given up", &[SIGNAL]);

/// All that there are.
pub const METRICS: [Metric; 9] = [
    RUNS_ENDED,
    PHASE_DURATION,
    QUEUE_AGE,
    RETRIES,
    POISON_MESSAGES,
    STORAGE_OPERATIONS,
    SWEEP_ROUNDS,
    SWEEP_RUNS,
    TELEMETRY_DROPPED,
];

const fn counter(
    name: &'static str,
    unit: &'static str,
    about: &'static str,
    attributes: &'static [&'static str],
) -> Metric {
    Metric { name, kind: Kind::Counter, unit, about, attributes }
}

/// Of seconds.
const fn histogram(name: &'static str, about: &'static str, attributes: &'static [&'static str]) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: "s", about, attributes }
}
