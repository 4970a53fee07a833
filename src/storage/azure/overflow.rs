//! Values that outgrow their row, in blobs named by the SHA-256 of their content.
//!
//! A blob is written before the row that refers to it and never changed, so a reference is never ahead of its value.
//! A blob whose row was not written is waste, and is the next one's if the same value comes again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use azure_storage_blob::BlobContainerClient;
use sha2::{Digest, Sha256};

use super::OVERFLOW_CONTAINER;
use super::wire::{Patience, Problem};
use crate::engine::ports::StoreError;

/// Bytes of values that are remembered: a run's large input is read and rewritten at each of its steps.
const REMEMBERED: usize = 16 << 20;

pub(super) struct Overflow {
    container: BlobContainerClient,
    patience: Patience,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    texts: HashMap<String, Arc<str>>,
    oldest: VecDeque<String>,
    bytes: usize,
}

impl Overflow {
    pub(super) fn new(container: BlobContainerClient, patience: Patience) -> Self {
        Self { container, patience, known: Mutex::default() }
    }

    pub(super) fn name(text: &str) -> String {
        hex::encode(Sha256::digest(text.as_bytes()))
    }

    /// Makes sure that the value is stored under its name.
    pub(super) async fn put(&self, name: &str, text: &str) -> Result<(), StoreError> {
        if self.recall(name).is_some() {
            return Ok(());
        }
        let blob = self.container.blob_client(name).block_blob_client();
        let content = bytes::Bytes::copy_from_slice(text.as_bytes());
        let upload = async { Ok::<_, Problem>(blob.upload(content.into(), None).await?) };
        self.patience.take(upload).await?;
        self.remember(name, text.into());
        Ok(())
    }

    /// The value, or why there is none that is good any more.
    pub(super) async fn get(&self, name: &str) -> Result<Result<Arc<str>, String>, StoreError> {
        if let Some(text) = self.recall(name) {
            return Ok(Ok(text));
        }
        let blob = self.container.blob_client(name);
        let download = async { Ok::<_, Problem>(blob.download(None).await?.body.collect().await?) };
        let bytes = match self.patience.take(download).await {
            Err(problem) if problem.is(404, "BlobNotFound") => {
                return Ok(Err(format!("the blob {OVERFLOW_CONTAINER}/{name} is gone")));
            }
            answer => answer?,
        };
        let text = String::from_utf8(bytes.to_vec()).ok().filter(|text| Self::name(text) == name);
        let Some(text) = text else { return Ok(Err(format!("the blob {OVERFLOW_CONTAINER}/{name} was changed"))) };
        let text: Arc<str> = text.into();
        self.remember(name, Arc::clone(&text));
        Ok(Ok(text))
    }

    fn recall(&self, name: &str) -> Option<Arc<str>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).texts.get(name).cloned()
    }

    fn remember(&self, name: &str, text: Arc<str>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let size = text.len();
        if size > REMEMBERED || known.texts.insert(name.to_owned(), text).is_some() {
            return;
        }
        known.oldest.push_back(name.to_owned());
        known.bytes += size;
        while known.bytes > REMEMBERED {
            let Some(oldest) = known.oldest.pop_front() else { return };
            known.bytes -= known.texts.remove(&oldest).map_or(0, |text| text.len());
        }
    }
}
