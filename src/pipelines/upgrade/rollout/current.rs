//! Which version an app runs, also where its images do not say so themselves: after a way back they are named by digests.

use std::collections::BTreeSet;

use super::plan::{Asked, Remark};
use super::snapshot::Snapshot;
use super::template::{self, ImageName};
use crate::azure::container_apps::ContainerApp;
use crate::engine::PhaseError;
use crate::git::Version;
use crate::pipelines::upgrade::Upgrade;

impl Upgrade {
    /// As the images' tags tell, or those that the registry has for their digests; else as the snapshot does that the
    /// app was brought back to. None where nobody knows.
    pub async fn version_of(
        &self,
        app: &ContainerApp,
        registry: &str,
        snapshot: Option<&Snapshot>,
    ) -> Result<Option<String>, PhaseError> {
        let told = template::version(&app.template, &self.components, registry);
        let told = told.filter(|version| Version::parse(version).is_ok());
        if told.is_some() {
            return Ok(told);
        }
        let named = self.names(app, registry);
        if named.iter().any(|(_, reference)| !is_digest(reference)) {
            // Tags of no version, or of several: what was once is no answer.
            return Ok(None);
        }
        let mut common: Option<BTreeSet<Version>> = None;
        for (repository, digest) in &named {
            let tags = self.store.tags(repository).await?;
            let versions = tags.iter().filter(|tag| tag.digest == *digest).filter_map(|tag| version_in(&tag.name));
            let versions: BTreeSet<Version> = versions.collect();
            common = Some(common.map_or(versions.clone(), |common| &common & &versions));
        }
        let newest = common.and_then(|mut versions| versions.pop_last()).map(|version| version.to_string());
        let brought_back = snapshot.filter(|snapshot| snapshot.rolled_back_at.is_some());
        Ok(newest.or_else(|| brought_back?.version.clone()))
    }

    /// Repository and reference of every image of a component that the app runs.
    fn names(&self, app: &ContainerApp, registry: &str) -> Vec<(String, String)> {
        let images = template::images(&app.template);
        let names = images.values().filter_map(|image| ImageName::parse(image));
        let ours = names.filter(|name| {
            name.registry.eq_ignore_ascii_case(registry)
                && self.components.iter().any(|component| component.image == name.repository)
        });
        ours.map(|name| (name.repository.to_owned(), name.reference.to_owned())).collect()
    }
}

/// Why an app whose version nobody knows is not upgraded without a word.
pub fn unknown(asked: &Asked) -> Option<Remark> {
    let message = "which version the app runs is not known, because its images are named by tags of no version or of \
                   several, or by digests that the registry has no version for; so nobody can tell whether this is a \
                   downgrade or another major version: look at the app's images, and send both allow_downgrade: true and \
                   confirm_major: true to upgrade all the same";
    let agreed = asked.allow_downgrade && asked.confirm_major;
    (!agreed).then(|| Remark { code: "version_unknown", message: message.to_owned() })
}

fn is_digest(reference: &str) -> bool {
    reference.contains(':')
}

fn version_in(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v')?).ok()
}
