//! What Windlass can do. Each pipeline is registered by one line in [`SPECS`] and one in the composition root.

pub mod probe;
pub mod upgrade;

use crate::engine::PipelineSpec;

/// Every pipeline's shape, from which functions, queues and containers are generated.
pub const SPECS: &[&PipelineSpec] = &[&probe::SPEC, &upgrade::SPEC, &upgrade::ROLLBACK, &upgrade::retention::SPEC];
