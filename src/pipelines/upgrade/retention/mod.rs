//! `retention`: what nobody needs any more goes, once a day, and never beside an upgrade, whose scope it shares.
//!
//! | file | what |
//! |---|---|
//! | `timer` | starts the run of the day |
//! | `pruning` | its one phase |
//! | `in_use` | what must stay, whatever its age |
//! | `select` | which tags and manifests of a repository go; pure |
//! | `revisions` | which revisions are stopped, and how many stopped ones the app keeps |
//! | `state` | what the run is asked, remembers and puts out |

mod in_use;
mod pruning;
mod revisions;
mod select;
mod state;
mod timer;

use std::sync::Arc;

use super::Upgrade;
use super::spec::{FAMILY, minutes, phase};
use crate::engine::{Pipeline, PipelineSpec};

pub use pruning::LOG;
pub use state::RetentionInput;

pub const SPEC: PipelineSpec = PipelineSpec {
    name: "retention",
    family: FAMILY,
    phases: &[phase("pruning", minutes(20))],
    queued: minutes(5),
    budget: minutes(30),
    logs: "upgrade-logs",
    timers: &[timer::RETENTION],
};

pub fn pipeline(upgrade: &Arc<Upgrade>) -> Pipeline {
    Pipeline {
        spec: &SPEC,
        work: vec![Arc::new(pruning::Pruning { upgrade: Arc::clone(upgrade) })],
        timers: vec![Arc::new(timer::RetentionTimer { upgrade: Arc::clone(upgrade) })],
        resume: None,
    }
}
