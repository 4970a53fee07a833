//! The simulated Azure, driven over HTTP as its callers drive it.

mod builds;
mod faults;
mod identity;
mod lab;
mod refusals;
mod runs;
mod tokens;
mod uploads;
