//! The upgrade of the platform, in the dialect of the dashboard that calls it.
//!
//! Whoever is known may see how it stands; starting one, and the logs of its builds, are for admins.

mod discovery;
mod log;
mod range;
mod start;
mod status;

pub use discovery::{candidates, check, settings};
pub use log::build_log;
pub use start::start;
pub use status::status;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::auth::Caller;
use super::error::ApiError;
use super::router::HttpState;
use crate::model::{RunId, Scope};

/// The pipeline that upgrades.
const PIPELINE: &str = "upgrade";

/// What an upgrade changes.
fn platform() -> Scope {
    Scope::new("platform")
}

/// The path of a component's build log.
fn log_path(job: &RunId, component: &str) -> String {
    format!("/api/upgrade/jobs/{job}/build-log/{component}")
}

/// A caller who may upgrade: by the role UpgradeAdmin or by UPGRADE_ADMIN_OIDS. Anybody else gets 403 `not_an_admin`.
pub struct UpgradeAdmin(pub Caller);

impl FromRequestParts<HttpState> for UpgradeAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if state.upgrade.is_admin(&caller) {
            return Ok(Self(caller));
        }
        Err(ApiError::forbidden(
            "not_an_admin",
            "This is for admins of the upgrade: ask for the role UpgradeAdmin, or for your object id to be added to the \
             setting UPGRADE_ADMIN_OIDS.",
        ))
    }
}
