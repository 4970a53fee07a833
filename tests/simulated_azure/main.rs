//! The simulated Azure, driven over HTTP as its callers drive it.

mod app;
mod builds;
mod faults;
mod identity;
mod lab;
mod platform;
mod refusals;
mod rollout;
mod runs;
mod tokens;
mod uploads;
