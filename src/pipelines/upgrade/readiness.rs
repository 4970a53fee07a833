//! [`Readiness`] over HTTP: one GET of an address that differs between revisions.

use async_trait::async_trait;

use super::ports::{Readiness, Ready};
use crate::azure::container_apps::{Revision, Visitor};

pub struct HttpReadiness {
    visitor: Visitor,
    /// With `{fqdn}` and `{revision}` where those of the revision belong; none: there is nothing to ask.
    address: Option<String>,
}

impl HttpReadiness {
    pub fn new(visitor: Visitor, address: Option<String>) -> Self {
        Self { visitor, address }
    }
}

#[async_trait]
impl Readiness for HttpReadiness {
    async fn ask(&self, revision: &Revision) -> Option<Ready> {
        let address = self.address.as_ref()?;
        if address.contains("{fqdn}") && revision.fqdn.is_none() {
            return Some(Ready::Unknown("the revision has no address of its own; give the app an ingress".to_owned()));
        }
        let fqdn = revision.fqdn.as_deref().unwrap_or_default();
        let url = address.replace("{fqdn}", fqdn).replace("{revision}", &revision.name);
        Some(match self.visitor.visit(&url).await {
            Ok(200..300) => Ready::Yes,
            Ok(status) => Ready::No(format!("status {status}")),
            Err(silence) => Ready::Unknown(silence.to_string()),
        })
    }
}
