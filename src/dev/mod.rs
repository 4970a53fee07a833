//! Everything that a developer needs and production must not contain.

pub mod azure;
pub mod functions;
pub mod host;
