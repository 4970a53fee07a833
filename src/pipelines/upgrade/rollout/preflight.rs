//! Whether what a rollback needs is still there: every image of the snapshot, by its digest.

use std::collections::BTreeMap;

use super::snapshot::Snapshot;
use super::template::ImageName;
use crate::engine::PhaseError;
use crate::pipelines::upgrade::Upgrade;

/// What became of one image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// By this name it is what it was.
    There(String),
    /// The registry has lost it.
    Gone(String),
}

/// Of every container. A tag that was moved meanwhile is given up for the digest that it stood for.
pub async fn images(upgrade: &Upgrade, snapshot: &Snapshot) -> Result<BTreeMap<String, Found>, PhaseError> {
    let mut found = BTreeMap::new();
    for (container, known) in &snapshot.images {
        let name = ImageName::parse(&known.image);
        let state = match name.zip(known.digest.as_deref()) {
            // Of a registry that is not the platform's own nobody knows more than the name.
            None => Found::There(known.image.clone()),
            Some((name, digest)) => {
                if upgrade.store.digest(name.repository, name.reference).await?.as_deref() == Some(digest) {
                    Found::There(known.image.clone())
                } else if upgrade.store.digest(name.repository, digest).await?.is_some() {
                    Found::There(format!("{}/{}@{digest}", name.registry, name.repository))
                } else {
                    Found::Gone(known.image.clone())
                }
            }
        };
        found.insert(container.clone(), state);
    }
    Ok(found)
}

pub fn gone(container: &str, image: &str) -> PhaseError {
    let message = format!(
        "the registry no longer has {image}, which container {container} ran: build that version again (an upgrade with \
         strategy build_only), then roll back"
    );
    PhaseError::fatal("rollback_image_missing", message)
}
