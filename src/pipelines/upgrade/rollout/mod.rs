//! From built images to a platform that runs them, and the way back.
//!
//! | file | what |
//! |---|---|
//! | `plan` | what an upgrade would do, and a hash of the world that it would do it to |
//! | `approving` | phase: somebody else agrees |
//! | `patching` | phase: the snapshot, and the intention |
//! | `rolling_out` | phase: the template goes in, the revision becomes ready |
//! | `validating`, `confirming` | phases of blue_green: proved without traffic, watched under it |
//! | `rolling_back`, `returning` | phase: the platform becomes what the snapshot says |
//! | `apply` | one change of the app, known again by what it made |
//! | `judge`, `watch` | what a look says of a revision; patience with it |
//! | `template`, `suffix`, `conceal` | templates, names of revisions, secrets in templates; pure |
//! | `state`, `snapshot` | what the run and the scope remember |
//! | `preflight`, `escape` | whether a rollback could be done; how to do it by hand |

mod apply;
pub mod approving;
mod conceal;
mod confirming;
mod current;
pub mod escape;
mod finish;
mod judge;
mod patching;
pub mod plan;
pub mod preflight;
mod returning;
pub mod rolling_back;
mod rolling_out;
pub mod snapshot;
mod state;
mod suffix;
pub(super) mod template;
pub mod validating;
mod watch;

pub use apply::CHANGED;
pub use approving::Approving;
pub use confirming::Confirming;
pub use finish::output;
pub use patching::{LOG, Patching};
pub use rolling_back::RollingBack;
pub use rolling_out::RollingOut;
pub use state::{Approval, ApprovalSignal, Change, Return, Rollout, Strategy, Validation, Verdict, WordSignal};
pub use validating::Validating;
