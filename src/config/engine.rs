//! The engine's patience.

use std::time::Duration;

use super::reader::Reader;
use super::setting::{Kind, Setting};

pub const LEASE: Setting = Setting::new(
    "WINDLASS_LEASE_SECONDS",
    Kind::Integer { min: 2, max: 600 },
    "How long a delivery owns its run without renewing; a crashed one's work is taken over after that.",
)
.or("90");

pub const SWEEP_GRACE: Setting = Setting::new(
    "WINDLASS_SWEEP_GRACE_SECONDS",
    Kind::Integer { min: 0, max: 3_600 },
    "How late a ticket may be before the sweep sends it again.",
)
.or("30");

pub const MAX_CRASHES: Setting = Setting::new(
    "WINDLASS_MAX_CRASHES",
    Kind::Integer { min: 1, max: 100 },
    "How many deliveries of one phase may die without an answer before the run is ended.",
)
.or("5");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineConfig {
    /// `WINDLASS_LEASE_SECONDS`
    pub lease: Duration,
    /// `WINDLASS_SWEEP_GRACE_SECONDS`
    pub sweep_grace: Duration,
    /// `WINDLASS_MAX_CRASHES`
    pub max_crashes: u32,
}

pub(super) fn load(reader: &mut Reader<'_>) -> Option<EngineConfig> {
    let lease = reader.integer(&LEASE).map(Duration::from_secs);
    let sweep_grace = reader.integer(&SWEEP_GRACE).map(Duration::from_secs);
    let max_crashes = reader.integer(&MAX_CRASHES).and_then(|count| u32::try_from(count).ok());
    Some(EngineConfig { lease: lease?, sweep_grace: sweep_grace?, max_crashes: max_crashes? })
}
