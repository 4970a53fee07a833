//! Whether what a rollback needs is still there: every image of the snapshot, by its digest.

use std::collections::BTreeMap;

use serde::Serialize;

use super::snapshot::{Snapshot, SnapshotImage};
use super::state::Strategy;
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
        found.insert(container.clone(), image(upgrade, known).await?);
    }
    Ok(found)
}

async fn image(upgrade: &Upgrade, known: &SnapshotImage) -> Result<Found, PhaseError> {
    let name = ImageName::parse(&known.image);
    let Some((name, digest)) = name.zip(known.digest.as_deref()) else {
        // Of a registry that is not the platform's own nobody knows more than the name.
        return Ok(Found::There(known.image.clone()));
    };
    if upgrade.store.digest(name.repository, name.reference).await?.as_deref() == Some(digest) {
        return Ok(Found::There(known.image.clone()));
    }
    match upgrade.store.digest(name.repository, digest).await? {
        Some(_) => Ok(Found::There(format!("{}/{}@{digest}", name.registry, name.repository))),
        None => Ok(Found::Gone(known.image.clone())),
    }
}

/// One image as a person is told of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ImageReport {
    pub container: String,
    pub image: String,
    pub digest: Option<String>,
    /// None where nobody could tell.
    pub exists: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What could be found out of every image, troubles included.
pub async fn report(upgrade: &Upgrade, snapshot: &Snapshot) -> Vec<ImageReport> {
    let mut reports = Vec::new();
    for (container, known) in &snapshot.images {
        let (exists, error) = match image(upgrade, known).await {
            // A name alone was not looked for.
            Ok(Found::There(_)) => (known.digest.as_ref().map(|_| true), None),
            Ok(Found::Gone(_)) => (Some(false), None),
            Err(error) => (None, Some(error.to_string())),
        };
        reports.push(ImageReport {
            container: container.clone(),
            image: known.image.clone(),
            digest: known.digest.clone(),
            exists,
            error,
        });
    }
    reports
}

/// What else stands in the way, if it is known to: a revision that would get its traffic back and is kept no longer.
pub async fn missing_revision(upgrade: &Upgrade, snapshot: &Snapshot) -> Result<bool, PhaseError> {
    if snapshot.strategy != Strategy::BlueGreen {
        return Ok(false);
    }
    Ok(upgrade.apps.revision(&snapshot.revision).await?.is_none())
}

pub fn gone(container: &str, image: &str) -> PhaseError {
    let message = format!(
        "the registry no longer has {image}, which container {container} ran: build that version again (an upgrade with \
         strategy build_only), then roll back"
    );
    PhaseError::fatal("rollback_image_missing", message)
}
