//! Log segments as append blobs. Every append states its position, so that a repeated or overtaken one is refused by
//! the service instead of doubling bytes.

use async_trait::async_trait;
use azure_storage_blob::models::{
    AppendBlobClientAppendBlockOptions, AppendBlobClientCreateOptions, BlobClientDownloadOptions,
    BlobClientGetPropertiesResultHeaders,
};
use azure_storage_blob::{AppendBlobClient, BlobClient};
use bytes::Bytes;

use super::AzureStorage;
use super::wire::{Patience, Problem};
use crate::engine::ports::{Appended, LogStore, StoreError};
use crate::storage::limits::{self, refused};

#[async_trait]
impl LogStore for AzureStorage {
    async fn append(&self, segment: &str, position: u64, bytes: Bytes) -> Result<Appended, StoreError> {
        limits::check_block(&bytes)?;
        let blob = self.segment(segment)?;
        let appender = blob.append_blob_client();
        if position == 0 {
            create(&appender, self.0.patience).await?;
        }
        let at = i64::try_from(position).map_err(|_| refused("no segment is that long"))?;
        let options = AppendBlobClientAppendBlockOptions { append_position: Some(at), ..Default::default() };
        let length = bytes.len() as u64;
        match self.0.patience.ask(appender.append_block(bytes.into(), length, Some(options))).await {
            Ok(_) => Ok(Appended::Written),
            Err(problem) if problem.is(412, "AppendPositionConditionNotMet") => elsewhere(&blob, self.0.patience).await,
            Err(problem) if problem.is(409, "BlockCountExceedsLimit") => Ok(Appended::Full),
            Err(problem) if problem.is(404, "BlobNotFound") => Ok(Appended::Elsewhere { length: 0 }),
            Err(problem) => Err(problem.into()),
        }
    }

    async fn read(&self, segment: &str, start: u64, end: u64) -> Result<Bytes, StoreError> {
        let blob = self.segment(segment)?;
        if start >= end {
            return Ok(Bytes::new());
        }
        let options = BlobClientDownloadOptions { range: Some((start..end).into()), ..Default::default() };
        let download = async { Ok::<_, Problem>(blob.download(Some(options)).await?.body.collect().await?) };
        match self.0.patience.take(download).await {
            Ok(bytes) => Ok(bytes),
            // No such segment; or it ends before `start`.
            Err(problem) if matches!(problem.status(), 404 | 416) => Ok(Bytes::new()),
            Err(problem) => Err(problem.into()),
        }
    }
}

impl AzureStorage {
    fn segment(&self, segment: &str) -> Result<BlobClient, StoreError> {
        let (container, name) = limits::check_segment(segment)?;
        Ok(self.0.blobs.blob_client(container, name))
    }
}

/// Makes the segment unless it is there.
async fn create(appender: &AppendBlobClient, patience: Patience) -> Result<(), StoreError> {
    let options = AppendBlobClientCreateOptions::default().if_not_exists();
    match patience.ask(appender.create(Some(options))).await {
        Err(problem) if !problem.is(409, "BlobAlreadyExists") => Err(problem.into()),
        _ => Ok(()),
    }
}

async fn elsewhere(blob: &BlobClient, patience: Patience) -> Result<Appended, StoreError> {
    let properties = patience.ask(blob.get_properties(None)).await?;
    let length = properties.content_length().map_err(Problem::from)?;
    let length = length.ok_or_else(|| StoreError::Unavailable("the segment's length was not told".into()))?;
    Ok(Appended::Elsewhere { length })
}
