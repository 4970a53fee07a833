//! What the upgrade needs from the outside: a repository, something that builds images, the registry that keeps them,
//! and the app that runs them.
//!
//! Errors are [`PhaseError`](crate::engine::PhaseError)s: whether a cause passes by itself is known where it arises.

mod apps;
mod builder;
mod store;

pub use apps::{Applied, Apps, Readiness, Ready};
pub use builder::{BuildOrder, Context, Images, Output, Prepared, Progress, Source};
pub use store::ImageStore;
