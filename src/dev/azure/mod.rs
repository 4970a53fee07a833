//! A simulated Azure on loopback: what the product asks of Entra, Resource Manager, Storage and Container Registry
//! tasks, refused as strictly as Azure refuses it. It is reached through the cloud endpoint settings alone.
//!
//! A request passes `server` (connections, faults, the record of requests) and `routes`, and ends in one of these:
//!
//! | room | what it plays |
//! |---|---|
//! | `identity` | the managed identity endpoint of App Service |
//! | `entra` | OpenID metadata, signing keys, client credentials |
//! | `arm` | Resource Manager's own checks, then one of the two providers |
//! | `registry_routes` | Container Registry: `registry`, `uploads`, `schedule`, `runs`, `task_runs` |
//! | `apps` | Container Apps: one app, its revisions and operations, and the application that they run |
//! | `dataplane` | the registry as container tools reach it: tokens, tags, manifests |
//! | `storage` | the blobs behind shared access signatures: source archives in, build logs out |
//! | `admin` | `/_sim/`: what Azure does not have; tokens, faults, records, the clock |
//!
//! A build is a `plan` made from the uploaded `context` and its `dockerfile`; `run` plays it beat by beat, and what it
//! pushes is what a rollout can pull.

mod access;
mod admin;
mod apps;
mod arm;
mod arm_error;
mod arm_headers;
mod arm_versions;
mod clock;
mod context;
mod copy;
mod dataplane;
mod dockerfile;
mod entra;
mod expand;
mod faults;
mod filter;
mod identity;
mod keys;
mod misbehaviour;
mod options;
mod plan;
mod registry;
mod registry_routes;
mod request;
mod routes;
mod run;
mod run_view;
mod runs;
mod sas;
mod scan;
mod schedule;
mod server;
mod simulated;
mod steps;
mod storage;
mod storage_error;
mod task_runs;
mod tokens;
mod transcript;
mod uploads;
mod world;

pub use apps::RevisionRecord;
pub use faults::{BuildEffect, Fault, RequestEffect, RevisionEffect, Since};
pub use options::{RevisionsMode, SimOptions};
pub use request::RequestRecord;
pub use run_view::RunRecord;
pub use simulated::{ClientCredentials, SimulatedAzure, start};
pub use tokens::{Forgery, TokenRequest, TokenVersion};
