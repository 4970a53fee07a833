//! The clients of other systems, made from the configuration.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;

use crate::azure::registry::RegistryClient;
use crate::azure::{self, ArmClient, AzureError, Cloud, IdentityEnvironment};
use crate::config::{Config, IdentityConfig, Mode, UpgradeConfig};
use crate::git::{GitError, Remote, RemotePolicy};
use crate::pipelines::upgrade::{Component, GitSource, RegistryImages, Upgrade};

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

pub fn upgrade(config: &Config) -> Result<Upgrade, ClientError> {
    let settings = &config.upgrade;
    let development = config.server.mode == Mode::Development;
    let policy = RemotePolicy { allow_http: development, allow_private: development };
    let remote = settings.git_remote.as_ref().map(|url| Remote::parse(url.as_str(), &policy)).transpose()?;
    let remote = remote.map(|remote| match &settings.git_token {
        Some(token) => remote.with_token(token.expose()),
        None => remote,
    });
    Ok(Upgrade {
        components: components(settings),
        source: Arc::new(GitSource { remote, workspaces: settings.workspace_dir.clone() }),
        images: Arc::new(RegistryImages::new(registry(config)?)),
        poll: POLL,
    })
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
