//! The clients of other systems, made from the configuration.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;

use crate::azure::container_apps::{ContainerAppsClient, Visitor};
use crate::azure::images::ImagesClient;
use crate::azure::registry::RegistryClient;
use crate::azure::{self, ArmClient, AzureError, Cloud, IdentityEnvironment};
use crate::config::{Config, IdentityConfig, Mode, RolloutConfig, StrategyConfig, UpgradeConfig};
use crate::git::{GitError, Remote, RemotePolicy};
use crate::pipelines::upgrade::rollout::Strategy;
use crate::pipelines::upgrade::{
    AzureApps, Component, GitSource, HttpReadiness, RegistryImages, RegistryStore, RolloutSettings, Upgrade,
};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(transparent)]
    Azure(#[from] AzureError),
    #[error("UPGRADE_GIT_REMOTE: {0}")]
    Git(#[from] GitError),
}

pub fn cloud(config: &Config) -> Cloud {
    Cloud {
        arm_endpoint: config.cloud.arm_endpoint.clone(),
        arm_scope: format!("{}/.default", config.cloud.arm_audience.trim_end_matches('/')),
        authority_host: config.cloud.authority_host.clone(),
        storage_suffix: config.cloud.storage_suffix.clone(),
    }
}

/// The identity of this process towards Azure; `client_id` overrides the configured user-assigned identity.
pub fn credential(config: &Config, client_id: Option<String>) -> Result<Arc<dyn TokenCredential>, AzureError> {
    let mut environment = IdentityEnvironment::default();
    match &config.identity {
        IdentityConfig::Managed { client_id } => {
            environment.identity_endpoint = Some(String::new());
            environment.client_id = client_id.clone();
        }
        IdentityConfig::Workload { client_id, tenant_id, token_file } => {
            environment.client_id = Some(client_id.clone());
            environment.tenant_id = Some(tenant_id.clone());
            environment.federated_token_file = Some(token_file.clone());
        }
        IdentityConfig::Developer => {}
    }
    if client_id.is_some() {
        environment.client_id = client_id;
    }
    azure::credential(&environment, &cloud(config))
}

/// How often a young build is looked at.
const POLL: Duration = Duration::from_secs(2);

pub fn upgrade(config: &Config) -> Result<Arc<Upgrade>, ClientError> {
    let settings = &config.upgrade;
    let development = config.server.mode == Mode::Development;
    let policy = RemotePolicy { allow_http: development, allow_private: development };
    let remote = settings.git_remote.as_ref().map(|url| Remote::parse(url.as_str(), &policy)).transpose()?;
    let remote = remote.map(|remote| match &settings.git_token {
        Some(token) => remote.with_token(token.expose()),
        None => remote,
    });
    let registry = registry(config)?;
    let store = registry.clone().map(ImagesClient::new);
    let readiness = HttpReadiness::new(Visitor::new()?, config.rollout.readiness_url.clone());
    Ok(Arc::new(Upgrade {
        components: components(settings),
        source: Arc::new(GitSource { remote, workspaces: settings.workspace_dir.clone() }),
        images: Arc::new(RegistryImages::new(registry)),
        store: Arc::new(RegistryStore::new(store)),
        apps: Arc::new(apps(config)?),
        readiness: Arc::new(readiness),
        poll: POLL,
        rollout: rollout(&config.rollout),
    }))
}

fn rollout(config: &RolloutConfig) -> RolloutSettings {
    let strategy = match config.strategy {
        StrategyConfig::InPlace => Strategy::InPlace,
        StrategyConfig::BlueGreen => Strategy::BlueGreen,
        StrategyConfig::BuildOnly => Strategy::BuildOnly,
    };
    RolloutSettings {
        strategy,
        auto_rollback: config.auto_rollback,
        rollout: config.rollout,
        validate: config.validate,
        confirm: config.confirm,
        verdict: config.verdict,
        approval: config.approval,
        rollback_window: config.rollback_window,
        keep_images: config.keep_images,
        keep_revisions: config.keep_revisions,
        ..RolloutSettings::default()
    }
}

fn apps(config: &Config) -> Result<AzureApps, ClientError> {
    let subscription = config.upgrade.subscription_id.as_deref();
    let (group, name) = (config.upgrade.resource_group.as_deref(), config.rollout.container_app.as_deref());
    let client = match (subscription, group, name) {
        (Some(subscription), Some(group), Some(name)) => {
            let arm = ArmClient::new(&cloud(config), credential(config, None)?)?;
            Some(ContainerAppsClient::new(arm, subscription, group, name))
        }
        _ => None,
    };
    let text = Option::unwrap_or_default;
    Ok(AzureApps::new(client, text(subscription), text(group), text(name)))
}

fn components(settings: &UpgradeConfig) -> Vec<Component> {
    let component = |component: &crate::config::Component| Component {
        name: component.name.clone(),
        image: component.image.clone(),
        dockerfile: component.dockerfile.clone(),
        // The pipeline names the whole repository by an empty directory.
        context: if component.context == "." { String::new() } else { component.context.clone() },
    };
    settings.components.iter().map(component).collect()
}

fn registry(config: &Config) -> Result<Option<RegistryClient>, ClientError> {
    let settings = &config.upgrade;
    let (Some(subscription), Some(group), Some(name)) =
        (&settings.subscription_id, &settings.resource_group, &settings.acr_name)
    else {
        return Ok(None);
    };
    let arm = ArmClient::new(&cloud(config), credential(config, None)?)?;
    Ok(Some(RegistryClient::new(arm, subscription, group, name)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_context_is_kept_as_it_is_and_the_root_has_no_name() {
        let given = r#"[{"name":"a"},{"name":"b","context":".docker/b"},{"name":"c","context":"c"}]"#;
        let environment = BTreeMap::from(
            [
                ("FUNCTIONS_CUSTOMHANDLER_PORT", "7"),
                ("AzureWebJobsStorage", "AccountName=a"),
                ("UPGRADE_COMPONENTS", given),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let config = Config::load(&environment).unwrap();
        let contexts: Vec<_> = components(&config.upgrade).into_iter().map(|component| component.context).collect();
        assert_eq!(contexts, ["", ".docker/b", "c"]);
    }
}
