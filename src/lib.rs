//! Windlass: deployments hauled up phase by phase, on Azure Functions.
//!
//! The map of the house; `ARCHITECTURE.md` walks through it and `tests/architecture.rs` holds its arrows.

pub mod app;
pub mod azure;
pub mod config;
#[cfg(feature = "dev")]
pub mod dev;
pub mod engine;
pub mod git;
pub mod http;
pub mod model;
pub mod pipelines;
pub mod storage;
pub mod triggers;
