//! The simulated Azure, driven over HTTP as its callers drive it.

mod app;
mod builds;
mod dataplane;
mod faults;
mod identity;
mod lab;
mod operations;
mod patches;
mod platform;
mod refusals;
mod revisions;
mod rollout;
mod runs;
mod tokens;
mod uploads;
