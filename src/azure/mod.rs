//! Typed clients of Azure. They make single calls: waiting, repeating and remembering are the caller's.
//!
//! - `cloud`: which Azure it is, and where its parts live
//! - `credentials`: who we are to it
//! - `arm`: the Resource Manager's calls; `answer`, `lenient`: what comes back; `error`, `envelope`, `retry_after`: how they fail
//! - `trace`: the span of a call
//! - `lro`: one look at a long operation
//! - `sas`: addresses that carry their own permission
//! - `registry`: images built by Container Registry tasks
//! - `images`: what a registry holds, by its own API
//! - `container_apps`: the app, its revisions and their replicas

mod answer;
mod arm;
mod cloud;
pub mod container_apps;
mod credentials;
mod envelope;
mod error;
pub mod images;
mod lenient;
mod lro;
pub mod registry;
mod retry_after;
mod sas;
#[cfg(test)]
mod testing;
mod trace;

pub use answer::Answer;
pub use arm::ArmClient;
pub use cloud::{BadCloud, Cloud, is_loopback};
pub use credentials::{CredentialSource, IdentityEnvironment, credential};
pub use error::{AzureError, ErrorKind, RequestIds};
pub use retry_after::retry_after;
pub use sas::SasUrl;
