//! Who we are to Azure, chosen by what the environment offers and never by trying one after the other.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions};
use azure_identity::{
    ClientAssertionCredentialOptions, DeveloperToolsCredential, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::Cloud;
use super::error::{AzureError, chain};

/// The values of the environment that decide. What goes with them (`IDENTITY_HEADER`) azure_identity reads itself,
/// at every request, because the platform changes it while we run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IdentityEnvironment {
    /// `IDENTITY_ENDPOINT`: set by Azure Functions and Container Apps where an identity is assigned.
    pub identity_endpoint: Option<String>,
    /// `AZURE_CLIENT_ID`: the user-assigned identity; without it the system-assigned one.
    pub client_id: Option<String>,
    /// `AZURE_TENANT_ID`
    pub tenant_id: Option<String>,
    /// `AZURE_FEDERATED_TOKEN_FILE`: set in a Kubernetes pod with workload identity.
    pub federated_token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialSource {
    ManagedIdentity,
    WorkloadIdentity,
    /// The Azure CLI or the Azure Developer CLI, as the developer is logged in there.
    DeveloperTools,
}

impl IdentityEnvironment {
    pub fn source(&self) -> CredentialSource {
        if self.identity_endpoint.is_some() {
            CredentialSource::ManagedIdentity
        } else if self.federated_token_file.is_some() {
            CredentialSource::WorkloadIdentity
        } else {
            CredentialSource::DeveloperTools
        }
    }
}

/// The credential for `environment`. Tokens are cached in it: make one and share it.
pub fn credential(environment: &IdentityEnvironment, cloud: &Cloud) -> Result<Arc<dyn TokenCredential>, AzureError> {
    let made: azure_core::Result<Arc<dyn TokenCredential>> = match environment.source() {
        CredentialSource::ManagedIdentity => ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: environment.client_id.clone().map(UserAssignedId::ClientId),
            client_options: options(cloud),
        }))
        .map(|credential| credential as _),
        CredentialSource::WorkloadIdentity => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options: options(cloud) },
                client_id: environment.client_id.clone(),
                tenant_id: environment.tenant_id.clone(),
                token_file_path: environment.federated_token_file.clone(),
            }))
            .map(|credential| credential as _)
        }
        CredentialSource::DeveloperTools => {
            DeveloperToolsCredential::new(None).map(|credential| Arc::new(DeveloperTools(credential)) as _)
        }
    };
    made.map_err(|error| AzureError::identity(None, chain(&error)))
}

/// The tools on a developer's machine. What goes wrong with them is for the developer to put right: nothing is gained
/// by trying again.
#[derive(Debug)]
struct DeveloperTools(Arc<DeveloperToolsCredential>);

/// No tool on this machine has given a token.
#[derive(Debug, thiserror::Error)]
#[error("nobody is signed in to Azure on this machine; run `az login` or `azd auth login`, then start again ({0})")]
pub(super) struct NotSignedIn(String);

#[async_trait]
impl TokenCredential for DeveloperTools {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.0.get_token(scopes, options).await.map_err(|error| {
            let told = chain(&error).replace('\n', "; ");
            azure_core::Error::with_error(ErrorKind::Credential, NotSignedIn(told), "no developer tool gave a token")
        })
    }
}

/// The default would repeat for a minute what a phase can repeat itself.
const TOKEN_RETRIES: u32 = 2;

fn options(cloud: &Cloud) -> ClientOptions {
    let mut custom = CustomConfiguration::default();
    custom.authority_host = cloud.authority_host.to_string();
    ClientOptions {
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: TOKEN_RETRIES,
            ..ExponentialRetryOptions::default()
        }),
        cloud: Some(Arc::new(custom.into())),
        ..ClientOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(endpoint: bool, token_file: bool) -> IdentityEnvironment {
        IdentityEnvironment {
            identity_endpoint: endpoint.then(|| "http://localhost:4141/MSI/token".into()),
            client_id: Some("5e29463d-71da-4fe0-8e69-999b57db23b0".into()),
            tenant_id: Some("31c75423-32d6-4322-88b7-c478bdde4858".into()),
            federated_token_file: token_file.then(|| "/var/run/token".into()),
        }
    }

    #[test]
    fn the_environment_decides_who_we_are() {
        assert_eq!(environment(true, false).source(), CredentialSource::ManagedIdentity);
        assert_eq!(environment(true, true).source(), CredentialSource::ManagedIdentity);
        assert_eq!(environment(false, true).source(), CredentialSource::WorkloadIdentity);
        assert_eq!(environment(false, false).source(), CredentialSource::DeveloperTools);
    }

    #[test]
    fn a_credential_is_made_without_asking_anybody() {
        let cloud = Cloud::public().unwrap();
        for (environment, name) in
            [(environment(true, false), "ManagedIdentityCredential"), (environment(false, false), "DeveloperTools")]
        {
            let made = credential(&environment, &cloud).unwrap();
            assert!(format!("{made:?}").contains(name), "{made:?}");
        }
    }

    #[test]
    fn a_missing_token_file_is_said_at_once() {
        let error = credential(&environment(false, true), &Cloud::public().unwrap()).unwrap_err();
        assert!(error.to_string().contains("token"), "{error}");
    }
}
