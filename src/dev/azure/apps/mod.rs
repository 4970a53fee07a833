//! Container Apps: one app that exists from the start, and everything that can be done with it and to it.
//!
//! `routes` receives what Resource Manager lets through. `patch` merges (`merge`) and checks (`template`, `secrets`,
//! `traffic`, `suffix`) a change, and begins an `operation` that is followed at `signed` addresses. `prospects` and
//! `images` know what will become of it; `revision`, `ailment` and `states` are one revision's life; `app` is all of
//! them together, `timeline` lets time pass. `view`, `revision_view`, `revisions` and `replicas` tell, and `application`
//! is the app as its users reach it.

mod ailment;
mod app;
mod application;
mod images;
mod merge;
mod operation;
mod patch;
mod prospects;
mod replicas;
mod revision;
mod revision_view;
mod revisions;
mod routes;
mod secrets;
mod seed;
mod signed;
mod states;
mod suffix;
mod template;
mod timeline;
mod traffic;
mod view;

pub(super) use application::{answer, owns};
pub use revision_view::RevisionRecord;
pub(super) use routes::serve;
pub(super) use seed::{IMAGES, TAG, installed_at};
pub(super) use signed::PollSigner;
pub(super) use timeline::Apps;

use super::arm_error::ArmError;
use super::world::Sim;

fn missing(sim: &Sim) -> ArmError {
    let (app, group) = (&sim.options.container_app, &sim.options.resource_group);
    ArmError::resource_not_found(&format!("Microsoft.App/containerApps/{app}"), group)
}
