//! Images: what a registry holds, asked and deleted by the registry's own API.
//!
//! Source: the distribution API (`/v2/`), Container Registry's additions to it (`/acr/v1/` 2021-07-01) and its exchange of
//! tokens (`/oauth2/`).

mod challenge;
mod claims;
mod names;
mod right;
mod server;
mod tokens;

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use self::right::Right;
use self::server::{LoginServer, Reply, send};
use self::tokens::Tokens;
use super::answer::header;
use super::error::{AzureError, ErrorKind};
use super::lenient;
use super::registry::RegistryClient;
use crate::model::Timestamp;

/// With fewer of them the registry denies that there is an index, or converts it to something of another digest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";
const PAGE: &str = "100";
const MAX_PAGES: usize = 100;

/// The calls on one registry's images. Tokens are cached in it: make one and clone it.
#[derive(Clone)]
pub struct ImagesClient {
    registry: RegistryClient,
    server: Arc<OnceCell<LoginServer>>,
    tokens: Arc<Tokens>,
}

/// A tag of a repository.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    pub name: String,
    /// Of the manifest that it names.
    pub digest: String,
    #[serde(default, rename = "createdTime", deserialize_with = "lenient::time")]
    pub created: Option<Timestamp>,
    #[serde(default, rename = "lastUpdateTime", deserialize_with = "lenient::time")]
    pub updated: Option<Timestamp>,
    #[serde(default)]
    changeable_attributes: Value,
}

impl Tag {
    /// Whether somebody has locked it against deletion.
    pub fn is_locked(&self) -> bool {
        self.changeable_attributes.get("deleteEnabled").and_then(Value::as_bool) == Some(false)
    }
}

impl ImagesClient {
    pub fn new(registry: RegistryClient) -> Self {
        Self { registry, server: Arc::default(), tokens: Arc::new(Tokens::new()) }
    }

    /// The host that images are pulled from, as the Resource Manager names it.
    pub async fn login_server(&self) -> Result<&str, AzureError> {
        self.server().await.map(LoginServer::name)
    }

    /// The digest of the manifest behind a tag or a digest; `None` if the registry has no such image.
    ///
    /// Right after a push a tag may be unknown to a replica of the registry.
    pub async fn digest(&self, repository: &str, reference: &str) -> Result<Option<String>, AzureError> {
        const OPERATION: &str = "looking for the image";
        let path = names::manifest(OPERATION, repository, reference)?;
        let reply = self.ask(OPERATION, Method::HEAD, &path, repository, Right::Pull).await?;
        match reply.status {
            // Nothing but the status tells what is missing: a HEAD is answered without a body.
            404 => Ok(None),
            200..=299 => match header(&reply.headers, "docker-content-digest").filter(|text| names::is_digest(text)) {
                Some(digest) => Ok(Some(digest.to_owned())),
                None => Err(reply.refused(OPERATION, "the answer names no digest")),
            },
            _ => Err(reply.refused(OPERATION, "")),
        }
    }

    /// All tags of the repository, the one that was changed last first; none if there is no such repository.
    pub async fn tags(&self, repository: &str) -> Result<Vec<Tag>, AzureError> {
        const OPERATION: &str = "listing the image's tags";
        #[derive(Deserialize)]
        struct Page {
            #[serde(default, deserialize_with = "lenient::or_default")]
            tags: Vec<Tag>,
        }
        let path = names::tags(OPERATION, repository)?;
        let mut url = self.server().await?.url(OPERATION, &path)?;
        url.query_pairs_mut().extend_pairs([("n", PAGE), ("orderby", "timedesc")]);
        let mut tags = Vec::new();
        for _ in 0..MAX_PAGES {
            let reply = self.call(OPERATION, Method::GET, &url, repository, Right::ReadTags).await?;
            if !(200..=299).contains(&reply.status) {
                let error = reply.refused(OPERATION, "");
                let unknown = error.kind == ErrorKind::NotFound && error.has_code("NAME_UNKNOWN");
                return if unknown { Ok(Vec::new()) } else { Err(error) };
            }
            tags.extend(reply.json::<Page>(OPERATION)?.tags);
            match server::next(&reply.headers) {
                Some(link) => url = self.server().await?.follow(OPERATION, link)?,
                None => return Ok(tags),
            }
        }
        Err(AzureError::new(ErrorKind::Unreadable, OPERATION, format!("the list goes on after {MAX_PAGES} pages")))
    }

    /// Takes the tag away; its manifest stays. A tag that is gone already is no error.
    pub async fn delete_tag(&self, repository: &str, tag: &str) -> Result<(), AzureError> {
        const OPERATION: &str = "deleting the tag";
        self.delete(OPERATION, &names::tag(OPERATION, repository, tag)?, repository).await
    }

    /// Deletes the manifest of this digest, with every tag that names it. One that is gone already is no error.
    pub async fn delete_manifest(&self, repository: &str, digest: &str) -> Result<(), AzureError> {
        const OPERATION: &str = "deleting the image";
        self.delete(OPERATION, &names::manifest_of(OPERATION, repository, digest)?, repository).await
    }

    async fn delete(&self, operation: &'static str, path: &str, repository: &str) -> Result<(), AzureError> {
        let reply = self.ask(operation, Method::DELETE, path, repository, Right::Delete).await?;
        match reply.status {
            200..=299 | 404 => Ok(()),
            _ => Err(reply.refused(operation, "")),
        }
    }

    async fn ask(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        repository: &str,
        right: Right,
    ) -> Result<Reply, AzureError> {
        let url = self.server().await?.url(operation, path)?;
        self.call(operation, method, &url, repository, right).await
    }

    /// A token that was remembered may have been withdrawn: then, and only then, the call is made once more.
    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        url: &Url,
        repository: &str,
        right: Right,
    ) -> Result<Reply, AzureError> {
        let remembered = self.tokens.are_remembered();
        match self.attempt(operation, &method, url, repository, right).await {
            Err(error) if error.kind == ErrorKind::Unauthorized => {
                self.tokens.forget();
                if remembered { self.attempt(operation, &method, url, repository, right).await } else { Err(error) }
            }
            made => made,
        }
    }

    async fn attempt(
        &self,
        operation: &'static str,
        method: &Method,
        url: &Url,
        repository: &str,
        right: Right,
    ) -> Result<Reply, AzureError> {
        let (arm, server) = (self.registry.arm(), self.server().await?);
        let token = self.tokens.token(arm, server, operation, repository, right).await?;
        let mut request = arm.http().request(method.clone(), url.clone()).header(AUTHORIZATION, token);
        if *method == Method::HEAD {
            request = request.header(ACCEPT, MANIFESTS);
        }
        let reply = send(arm, operation, request).await?;
        let refused = challenge::bearer(&reply.headers).filter(|_| reply.status == 401);
        match refused {
            Some(challenge) if challenge.is_insufficient() => Err(right.missing(operation, repository)),
            _ if reply.status == 401 => Err(reply.refused(operation, "")),
            _ => Ok(reply),
        }
    }

    async fn server(&self) -> Result<&LoginServer, AzureError> {
        self.server.get_or_try_init(async || LoginServer::new(&self.registry.get().await?.login_server)).await
    }
}

impl fmt::Debug for ImagesClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImagesClient").field("registry", &self.registry).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
