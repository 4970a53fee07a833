//! What dashboards and programs call.
//!
//! | file | what |
//! |---|---|
//! | `routes.rs` | the one table: functions, paths, handlers |
//! | `router.rs` | the table as a service, and what handlers share |
//! | `path.rs` | paths as the Functions host takes them |
//! | `params.rs`, `body.rs`, `idempotency.rs`, `conditional.rs` | what requests bring |
//! | `error.rs`, `answer.rs` | refusals, and the other answers: status codes are named there and nowhere else |
//! | `refusal.rs`, `codes.rs` | what the engine refuses, in codes; every code there is |
//! | `probe.rs`, `runs/`, `upgrade/`, `health.rs` | the areas |
//! | `status.rs` | a run as all areas show it |

pub mod answer;
pub mod auth;
pub mod body;
pub mod boundary;
pub mod codes;
pub mod conditional;
pub mod error;
pub mod health;
pub mod idempotency;
pub mod params;
pub mod path;
pub mod probe;
pub mod refusal;
pub mod request_id;
pub mod router;
pub mod routes;
pub mod runs;
pub mod status;
mod trace;
pub mod upgrade;

pub use health::{Check, Readiness};
pub use router::{HttpState, UpgradeHttp, router};
