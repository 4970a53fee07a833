//! What must stay, whatever its age: what runs, what a way back leads to, and what the newest upgrade made.

use std::collections::BTreeSet;

use super::select::Protected;
use super::state::RetentionInput;
use crate::azure::container_apps::{ContainerApp, Revision, TrafficWeight};
use crate::engine::PhaseError;
use crate::engine::context::PhaseContext;
use crate::pipelines::upgrade::Upgrade;
use crate::pipelines::upgrade::rollout::snapshot::{SNAPSHOT, Snapshot};
use crate::pipelines::upgrade::rollout::template::{self, ImageName};

#[derive(Debug, Default)]
pub struct InUse {
    pub images: Protected,
    /// The app and all of its revisions, where there is one.
    pub app: Option<(ContainerApp, Vec<Revision>)>,
    /// Revisions that a way back leads to, or from.
    pub revisions: BTreeSet<String>,
}

/// # Errors
/// An app that cannot be read: nothing may be deleted while nobody can tell what runs.
pub async fn in_use(ctx: &PhaseContext, upgrade: &Upgrade, input: &RetentionInput) -> Result<InUse, PhaseError> {
    let registry = upgrade.store.login_server().await?;
    let mut found = InUse::default();
    for image in &input.newest {
        protect(&mut found.images, &format!("{registry}/{image}"), &registry);
    }
    if let Some(snapshot) = ctx.document::<Snapshot>(SNAPSHOT).await?.filter(|snapshot| snapshot.is_open(ctx.now())) {
        for kept in snapshot.images.values() {
            protect(&mut found.images, &kept.image, &registry);
            found.images.digests.extend(kept.digest.clone());
        }
        let weighted: Vec<TrafficWeight> = serde_json::from_value(snapshot.traffic).unwrap_or_default();
        found.revisions.extend(weighted.into_iter().filter_map(|entry| entry.revision_name));
        found.revisions.extend([snapshot.revision, snapshot.target_revision]);
    }
    if upgrade.apps.is_configured() {
        let (app, revisions) = (upgrade.apps.app().await?, upgrade.apps.revisions().await?);
        let active = revisions.iter().filter(|revision| revision.active);
        let running = active.flat_map(|revision| revision.images.iter().map(|image| image.image.clone()));
        for image in template::images(&app.template).into_values().chain(running) {
            protect(&mut found.images, &image, &registry);
        }
        found.app = Some((app, revisions));
    }
    Ok(found)
}

fn protect(protected: &mut Protected, image: &str, registry: &str) {
    let Some(name) = ImageName::parse(image).filter(|name| name.registry.eq_ignore_ascii_case(registry)) else {
        return;
    };
    // A tag has no colon, and a digest has one.
    if name.reference.contains(':') {
        protected.digests.insert(name.reference.to_owned());
    } else {
        protected.tags.insert((name.repository.to_owned(), name.reference.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_the_platforms_registry_are_protected_by_what_names_them() {
        let mut protected = Protected::default();
        for image in
            ["R.example/elb-api:v1.2.3", "r.example/elb-api@sha256:ab", "other.example/elb-api:v9.9.9", "nginx"]
        {
            protect(&mut protected, image, "r.example");
        }
        assert_eq!(protected.tags, BTreeSet::from([("elb-api".to_owned(), "v1.2.3".to_owned())]));
        assert_eq!(protected.digests, BTreeSet::from(["sha256:ab".to_owned()]));
    }
}
