//! Which version the platform runs.

use std::time::Duration;

use crate::engine::ports::StoreError;
use crate::engine::{Engine, PhaseError};
use crate::git::Version;
use crate::pipelines::upgrade::rollout::snapshot::{SNAPSHOT, Snapshot};
use crate::pipelines::upgrade::{Upgrade, scope};

/// Who looks at a list of versions does not wait for an app that is out of reach.
const PATIENCE: Duration = Duration::from_secs(10);

impl Upgrade {
    /// As the app tells; where it cannot be read, as the last upgrade or the way back from it has left it. None where
    /// nobody knows, and where the app's components are of different versions.
    pub async fn running_version(&self, engine: &Engine) -> Result<Option<Version>, StoreError> {
        let told = match tokio::time::timeout(PATIENCE, self.version_of_app()).await {
            Ok(Ok(told)) => told,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the app does not tell which version it runs");
                left_behind(engine).await?
            }
            Err(_) => left_behind(engine).await?,
        };
        Ok(told.and_then(|version| Version::parse(&version).ok()))
    }

    async fn version_of_app(&self) -> Result<Option<String>, PhaseError> {
        let app = self.apps.app().await?;
        let registry = self.store.login_server().await?;
        self.version_of(&app, &registry, None).await
    }
}

async fn left_behind(engine: &Engine) -> Result<Option<String>, StoreError> {
    let snapshot: Option<Snapshot> = engine.document(&scope(), SNAPSHOT).await?;
    Ok(snapshot.and_then(|snapshot| match snapshot.rolled_back_at {
        Some(_) => snapshot.version,
        None => Some(snapshot.target_version),
    }))
}
