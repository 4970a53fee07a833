//! What the repository offers to upgrade to.
//!
//! The repository is asked by a timer and by people, never by a page that is merely looked at; what it answered is
//! remembered in the platform's scope. A check that fails leaves the list of the last good one.

mod candidates;
mod check;
mod documents;
mod running;
mod timer;

pub use candidates::{Candidate, Kind, Relation, candidates};
pub use check::{Checked, check};
pub use documents::{Channel, CheckFailure, Discovered, MOST_RELEASES, Release, Tip, channel, known, set_channel};
pub use timer::{CHECK, CheckTimer};
