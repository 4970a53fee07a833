//! The shapes of the upgrade and of the rollback: phases with their bounds.

use std::time::Duration;

use super::discovery::CHECK;
use crate::engine::{PhaseSpec, PipelineSpec};
use crate::model::RetryPolicy;

pub(super) const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const RETRY: RetryPolicy =
    RetryPolicy { initial: Duration::from_secs(2), coefficient: 2.0, maximum: Duration::from_secs(30), attempts: 10 };

/// The platform's own operations can take minutes, during which it takes no other change.
const PERSISTENT: RetryPolicy = RetryPolicy { attempts: 24, ..RETRY };

pub(super) const fn phase(name: &'static str, deadline: Duration) -> PhaseSpec {
    PhaseSpec { name, deadline, delivery: Duration::from_secs(60), retry: RETRY, waits_for_people: false }
}

const ROLLING_BACK: PhaseSpec = PhaseSpec { retry: PERSISTENT, ..phase("rolling-back", minutes(20)) };

/// Upgrades, the way back by call and retention are in use together.
pub(super) const FAMILY: &str = "upgrade";

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "upgrade",
    family: FAMILY,
    phases: &[
        // A fetch cannot be continued by another delivery, so it gets most of what the host allows.
        PhaseSpec { delivery: Duration::from_secs(200), ..phase("fetching", minutes(10)) },
        phase("building", minutes(30)),
        // A little more than the longest that may be configured, so that the phase itself says that it was in vain.
        PhaseSpec { waits_for_people: true, ..phase("approving", minutes(43_200 + 60)) },
        phase("patching", minutes(5)),
        PhaseSpec { retry: PERSISTENT, ..phase("rolling-out", minutes(15)) },
        // An hour of proving at the most, and a day for a person's verdict.
        PhaseSpec { waits_for_people: true, retry: PERSISTENT, ..phase("validating", minutes(60 + 1_440)) },
        PhaseSpec { retry: PERSISTENT, ..phase("confirming", minutes(75)) },
        ROLLING_BACK,
    ],
    queued: minutes(5),
    budget: minutes(5 + 10 + 30 + 5 + 15 + 75),
    logs: "upgrade-logs",
    timers: &[CHECK],
};

/// The way back by call: the same last phase, in a run of its own.
pub const ROLLBACK: PipelineSpec = PipelineSpec {
    name: "rollback",
    family: FAMILY,
    phases: &[ROLLING_BACK],
    queued: minutes(5),
    budget: minutes(30),
    logs: "upgrade-logs",
    timers: &[],
};
