//! What dashboards and programs call. Status codes are named in `error.rs` and nowhere else.

pub mod auth;
pub mod body;
pub mod boundary;
pub mod error;
pub mod idempotency;
pub mod request_id;
