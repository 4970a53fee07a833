//! A registry that holds what a test puts there, and remembers what was deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass::azure::images::Tag;
use windlass::engine::PhaseError;
use windlass::pipelines::upgrade::ports::ImageStore;

pub const SERVER: &str = "registry.example";

#[derive(Default)]
pub struct FakeRegistry {
    /// By repository, as the registry tells them.
    tags: Mutex<BTreeMap<String, Vec<Value>>>,
    /// `<repository>:<tag>` and `<repository>@<digest>`, in order.
    deleted: Mutex<Vec<String>>,
    /// Repositories in which nothing may be deleted.
    pub guarded: Mutex<BTreeSet<String>>,
    /// Calls from now on that fail for a moment.
    pub silent: Mutex<u32>,
    /// The caller dies with the answer to this deletion, counted from now on.
    pub deadly: Mutex<Option<u32>>,
}

impl FakeRegistry {
    pub fn put(&self, repository: &str, tag: &str, digest: &str, created: &str) {
        self.tags.lock().unwrap().entry(repository.to_owned()).or_default().push(json!({
            "name": tag, "digest": digest, "createdTime": created, "lastUpdateTime": created,
            "changeableAttributes": {"deleteEnabled": true, "writeEnabled": true},
        }));
    }

    /// The image of a version, under a digest of its own.
    pub fn release(&self, repository: &str, tag: &str, created: &str) {
        self.put(repository, tag, &format!("sha256:{repository}-{tag}"), created);
    }

    pub fn lock(&self, repository: &str, tag: &str) {
        let mut tags = self.tags.lock().unwrap();
        for known in tags.get_mut(repository).unwrap().iter_mut().filter(|known| known["name"] == tag) {
            known["changeableAttributes"]["deleteEnabled"] = json!(false);
        }
    }

    /// The names of the repository's tags.
    pub fn names(&self, repository: &str) -> Vec<String> {
        let tags = self.tags.lock().unwrap();
        let mut names: Vec<String> =
            tags.get(repository).into_iter().flatten().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    pub fn deleted(&self) -> Vec<String> {
        self.deleted.lock().unwrap().clone()
    }

    fn call(&self) -> Result<(), PhaseError> {
        let mut silent = self.silent.lock().unwrap();
        if *silent > 0 {
            *silent -= 1;
            return Err(PhaseError::retryable("azure_unavailable", "the registry does not answer"));
        }
        Ok(())
    }

    fn delete(&self, repository: &str, name: String, gone: impl Fn(&Value) -> bool) -> Result<(), PhaseError> {
        self.call()?;
        if self.guarded.lock().unwrap().contains(repository) {
            return Err(PhaseError::fatal("azure_permission_missing", "give it the role AcrDelete on the registry"));
        }
        self.deleted.lock().unwrap().push(name);
        if let Some(tags) = self.tags.lock().unwrap().get_mut(repository) {
            tags.retain(|tag| !gone(tag));
        }
        let mut deadly = self.deadly.lock().unwrap().take();
        if let Some(left) = deadly.as_mut() {
            *left -= 1;
        }
        assert_ne!(deadly, Some(0), "the caller is to die here");
        *self.deadly.lock().unwrap() = deadly;
        Ok(())
    }
}

#[async_trait]
impl ImageStore for FakeRegistry {
    async fn login_server(&self) -> Result<String, PhaseError> {
        Ok(SERVER.to_owned())
    }

    async fn digest(&self, _: &str, _: &str) -> Result<Option<String>, PhaseError> {
        panic!("nobody here needs this")
    }

    async fn tags(&self, repository: &str) -> Result<Vec<Tag>, PhaseError> {
        self.call()?;
        let tags = self.tags.lock().unwrap().get(repository).cloned().unwrap_or_default();
        Ok(serde_json::from_value(Value::Array(tags)).expect("tags as the registry tells them"))
    }

    async fn delete_tag(&self, repository: &str, tag: &str) -> Result<(), PhaseError> {
        self.delete(repository, format!("{repository}:{tag}"), |known| known["name"] == tag)
    }

    async fn delete_manifest(&self, repository: &str, digest: &str) -> Result<(), PhaseError> {
        self.delete(repository, format!("{repository}@{digest}"), |known| known["digest"] == digest)
    }
}
