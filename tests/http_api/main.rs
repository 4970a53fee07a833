//! What callers of the API see: the real router over the real engine, in a world whose storage does what it is told.

mod api;
mod build_log;
mod common;
mod disabled;
mod going_back;
mod history;
mod people;
mod plan;
mod platform;
mod probe;
mod retries;
mod rewind;
mod runs;
mod states;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
mod wire;
