//! The registry as container tools reach it, at its login server: on loopback, and therefore in plain http.
//!
//! `challenge` tells where tokens are to be had, `tokens` exchanges and checks them, `manifests` and `tags` answer who
//! brings the right one. `store` is what has been pushed; a `manifest` is one image's, and its digest is its own.

mod challenge;
mod error;
mod manifest;
mod manifests;
mod reference;
mod routes;
mod store;
mod tags;
mod tokens;

pub(super) use error::failure;
pub(super) use manifest::Manifest;
pub(super) use routes::{answer, owns};
pub(super) use store::Registry;
pub(super) use tokens::RegistryTokens;
