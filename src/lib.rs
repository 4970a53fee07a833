//! Windlass: deployments hauled up phase by phase, on Azure Functions.
//!
//! The map of the house; `ARCHITECTURE.md` walks through it and `tests/architecture.rs` holds its arrows.

// A request, a message or an answer from outside must never be able to end the process or to speak past the log.
#![warn(
    clippy::allow_attributes_without_reason,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod app;
pub mod azure;
pub mod config;
#[cfg(feature = "dev")]
#[allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "tools on a developer's machine may speak to the terminal, read its environment and stop with a reason"
)]
pub mod dev;
pub mod engine;
pub mod git;
pub mod http;
pub mod model;
pub mod pipelines;
pub mod storage;
pub mod triggers;
