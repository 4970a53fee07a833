//! Everything that a developer needs and production must not contain.

pub mod azure;
pub mod bench;
pub mod error_reference;
pub mod functions;
#[cfg(test)]
mod generated;
pub mod host;
pub mod host_settings;
pub mod package;
pub mod queues;
pub mod repository;
pub mod settings_check;
pub mod settings_files;
pub mod up;
pub mod workbook;
