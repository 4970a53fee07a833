//! What callers of the API see: the real router over the real engine, in a world whose storage does what it is told.

mod api;
mod build_log;
mod common;
mod platform;
mod probe;
mod rewind;
mod runs;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod wire;
