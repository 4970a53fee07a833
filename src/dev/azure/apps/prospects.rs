//! What will become of a revision that is about to be made: its images and the faults it meets decide.

use serde_json::Value;

use super::ailment::Ailment;
use super::app::ContainerApp;
use super::operation::Problem;
use super::{images, template};
use crate::dev::azure::dataplane::Registry;
use crate::dev::azure::faults::{RevisionEffect, met_by_revision};
use crate::dev::azure::world::Sim;

/// What ails a revision of the app's template, and what its operation will fail with.
pub(super) fn prospects(
    sim: &Sim,
    app: &ContainerApp,
    registry: &Registry,
    name: &str,
) -> (Vec<Ailment>, Option<Problem>) {
    let wanted = images::of(app.template());
    let met = met_by_revision(&mut sim.faults(), name, &wanted);
    let login = sim.login_server();
    let pulls =
        app.configuration()["registries"].as_array().is_some_and(|all| all.iter().any(|it| it["server"] == login));
    let refused = met.iter().find(|(effect, _)| *effect == RevisionEffect::ImageRefused);
    let is_refused = |image: &str| {
        let struck = refused.is_some_and(|(_, part)| {
            image.contains(part.as_str()) || !wanted.iter().any(|it| it.contains(part.as_str()))
        });
        struck || (!pulls && image.starts_with(&format!("{login}/")))
    };
    let text = wanted.iter().find_map(|image| {
        let details = if is_refused(image) {
            Some(images::unauthorized(image, login))
        } else {
            images::problem(sim, registry, image)
        };
        details.map(|details| template::invalid(&field(app.template(), image), &details))
    });
    let mut ailments: Vec<Ailment> = met.iter().filter_map(|(effect, part)| Ailment::of(effect, part)).collect();
    let problem = text.map(|refusal| {
        let message = format!(
            "Failed to provision revision for container app '{}'. Error details: {}",
            sim.options.container_app, refusal.message
        );
        ailments.push(Ailment::Refused { problem: message.clone() });
        Problem { code: refusal.code, message }
    });
    (ailments, problem)
}

/// `containers.<name>.image`, of the first container with this image.
fn field(template: &Value, image: &str) -> String {
    for kind in ["containers", "initContainers"] {
        for container in template[kind].as_array().into_iter().flatten() {
            if container["image"] == image {
                return format!("{kind}.{}.image", container["name"].as_str().unwrap_or_default());
            }
        }
    }
    "containers".to_owned()
}
