//! Where the engine's ports meet a disk or an account.
//!
//! Two homes for the same ports, held to the same contract by `tests/contracts.rs`:
//! - `embedded`: one SQLite file, shared by the processes of one machine
//! - `azure`: tables, queues and append blobs of a storage account
//!
//! Shared by both: `limits` (what either refuses, in the same words), `message` (what a queue hands out) and
//! `operations` (what a store was asked to do, for cost receipts).

pub mod azure;
pub mod embedded;
mod limits;
mod message;
mod operations;

pub use message::Message;
pub use operations::{Operations, Spent};
