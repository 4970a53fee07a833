//! Where the engine's ports meet a disk or an account.

pub mod azure;
pub mod embedded;
