//! The managed identity of the simulated Azure. azure_identity finds it through the environment of its process, which
//! the tests of one process share.

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::time::{Duration, OffsetDateTime};
use serde_json::Value;
use windlass::dev::azure::SimulatedAzure;

#[derive(Debug)]
pub struct SimulatedIdentity {
    http: reqwest::Client,
    endpoint: String,
    header: String,
}

impl SimulatedIdentity {
    pub fn of(azure: &SimulatedAzure) -> Self {
        let settings = azure.settings();
        let setting = |name: &str| settings.iter().find(|(known, _)| known == name).expect("a setting").1.clone();
        Self {
            http: reqwest::Client::builder().no_proxy().build().expect("a client"),
            endpoint: setting("IDENTITY_ENDPOINT"),
            header: setting("IDENTITY_HEADER"),
        }
    }

    pub async fn token(&self, resource: &str) -> Result<String, String> {
        let url = format!("{}?resource={resource}&api-version=2019-08-01", self.endpoint);
        let answer = self.http.get(url).header("X-IDENTITY-HEADER", &self.header).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())?;
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        body["access_token"].as_str().map(str::to_owned).ok_or_else(|| "no token".to_owned())
    }
}

#[async_trait]
impl TokenCredential for SimulatedIdentity {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let resource = scopes[0].trim_end_matches("/.default");
        let token = self.token(resource).await;
        let token = token.map_err(|reason| Error::with_message(ErrorKind::Credential, reason))?;
        Ok(AccessToken::new(token, OffsetDateTime::now_utc() + Duration::minutes(5)))
    }
}
