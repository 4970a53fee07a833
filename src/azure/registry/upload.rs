//! The build context's way to the registry: Put Blob with a signed address.

use std::path::Path;
use std::time::Duration;

use bytes::BytesMut;
use futures::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::RegistryClient;
use crate::azure::SasUrl;
use crate::azure::answer::collect;
use crate::azure::error::{AzureError, ErrorKind};
use crate::azure::trace;

const OPERATION: &str = "uploading the build context";
const CHUNK_BYTES: usize = 256 << 10;
const MAX_ERROR_BYTES: usize = 64 << 10;
/// Versions before 2019-12-12 take no blob over 256 MiB in one piece.
const STORAGE_VERSION: &str = "2021-12-02";

impl RegistryClient {
    /// Sends the file, which must be `length` bytes long, in one piece and within `limit`.
    ///
    /// May be repeated at the same address: the blob is replaced. [`ErrorKind::LinkExpired`] asks for a new address
    /// from [`source_upload_url`](Self::source_upload_url).
    pub async fn upload_source(
        &self,
        to: &SasUrl,
        file: &Path,
        length: u64,
        limit: Duration,
    ) -> Result<(), AzureError> {
        let url = to.reveal(OPERATION)?;
        let unreadable =
            |error: &std::io::Error| AzureError::new(ErrorKind::Invalid, OPERATION, format!("the archive: {error}"));
        let file = File::open(file).await.map_err(|e| unreadable(&e))?;
        let found = file.metadata().await.map_err(|e| unreadable(&e))?.len();
        if found != length {
            let message = format!("the archive has {found} bytes, and {length} were packed");
            return Err(AzureError::new(ErrorKind::Invalid, OPERATION, message));
        }
        // Only what the signature covers: a token beside it is refused.
        let request = self
            .arm
            .http()
            .put(url)
            .header("x-ms-blob-type", "BlockBlob")
            .header("x-ms-version", STORAGE_VERSION)
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length)
            .body(body(file));
        let exchange = async {
            let response = trace::send(OPERATION, request).await.map_err(|e| AzureError::unreachable(OPERATION, e))?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            if status == 201 {
                return Ok(());
            }
            let body = collect(OPERATION, response, MAX_ERROR_BYTES).await.unwrap_or_default();
            Err(AzureError::answered(OPERATION, status, &headers, &body).with_expired_link())
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(AzureError::timed_out(OPERATION, limit)))
    }
}

fn body(file: File) -> reqwest::Body {
    reqwest::Body::wrap_stream(stream::try_unfold(file, |mut file| async move {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES);
        let read = file.read_buf(&mut chunk).await?;
        Ok::<_, std::io::Error>((read > 0).then(|| (chunk.freeze(), file)))
    }))
}
