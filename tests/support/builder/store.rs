//! The registry that the builds push to: an image is there once its build has succeeded.

use async_trait::async_trait;
use windlass::azure::images::Tag;
use windlass::engine::PhaseError;
use windlass::model::Timestamp;
use windlass::pipelines::upgrade::ports::{ImageStore, Progress};

use super::{BEFORE, Builder, REGISTRY, Registered, digest};

impl Registered {
    /// `<repository>:<tag>` and digest of everything that was pushed by then, in order.
    fn pushed(&self, components: &[&str], now: Timestamp) -> Vec<(String, String)> {
        let before = components.iter().map(|name| (format!("elb-{name}:v{BEFORE}"), digest(&format!("{name}-before"))));
        let mut built: Vec<_> = self
            .builds
            .iter()
            .filter(|(id, build)| matches!(build.progress(now, id), Progress::Succeeded(_)))
            .map(|(id, build)| (build.ends_at, build.order.image.clone(), digest(id)))
            .collect();
        built.sort();
        before.chain(built.into_iter().map(|(_, image, digest)| (image, digest))).collect()
    }
}

impl Builder {
    /// `<repository>:<tag>` of what an image's whole name stands for, if it can be pulled. Whatever was built for one tag
    /// is one image, because all of it was built of one commit.
    pub fn pulled(&self, image: &str, now: Timestamp) -> Option<String> {
        let Some(ours) = image.strip_prefix(&format!("{REGISTRY}/")) else { return Some(image.to_owned()) };
        let pushed = self.look(|registered| registered.pushed(self.habits.components, now));
        let fits = |(name, digest): &(String, String)| match ours.split_once('@') {
            Some((repository, wanted)) => digest == wanted && name.starts_with(&format!("{repository}:")),
            None => name == ours,
        };
        pushed.into_iter().find(fits).map(|(name, _)| name)
    }
}

#[async_trait]
impl ImageStore for Builder {
    async fn login_server(&self) -> Result<String, PhaseError> {
        self.call("login server".to_owned(), |_, _| Ok(REGISTRY.to_owned())).await
    }

    async fn digest(&self, repository: &str, reference: &str) -> Result<Option<String>, PhaseError> {
        let components = self.habits.components;
        let tagged = format!("{repository}:{reference}");
        self.call(format!("digest {tagged}"), |registered, now| {
            let pushed = registered.pushed(components, now);
            let found = pushed.into_iter().rev().find(|(name, digest)| *name == tagged || digest == reference);
            Ok(found.map(|(_, digest)| digest))
        })
        .await
    }

    async fn tags(&self, repository: &str) -> Result<Vec<Tag>, PhaseError> {
        Err(PhaseError::fatal("outside_unknown", format!("nobody asks for the tags of {repository}")))
    }

    async fn delete_tag(&self, repository: &str, tag: &str) -> Result<(), PhaseError> {
        Err(PhaseError::fatal("outside_unknown", format!("nobody deletes {repository}:{tag}")))
    }

    async fn delete_manifest(&self, repository: &str, digest: &str) -> Result<(), PhaseError> {
        Err(PhaseError::fatal("outside_unknown", format!("nobody deletes {repository}@{digest}")))
    }
}
