//! The registry's own storage account, as far as signed links open it: archives go in by Put Blob, logs come out by
//! Get Blob and Get Blob Properties.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::clock;
use super::request::Received;
use super::storage_error::StorageError;
use super::world::Sim;

const ROOT: &str = "/weumanaged7/391792e2c1da4d52-mok7w2dxxp/";

pub(super) fn owns(path: &str) -> bool {
    path.starts_with(ROOT)
}

/// A link to a blob of the registry's container with the permissions `sp`.
pub(super) fn link(sim: &Sim, blob: &str, sp: &str, now: OffsetDateTime) -> String {
    let path = format!("{ROOT}{blob}");
    format!("{}{path}?{}", sim.base, sim.sas.query(&path, sp, now))
}

pub(super) fn answer(sim: &Sim, request: &Received) -> Response {
    serve(sim, request).unwrap_or_else(StorageError::into_response)
}

fn serve(sim: &Sim, request: &Received) -> Result<Response, StorageError> {
    if request.header("authorization").is_some() {
        return Err(StorageError::authentication("A signed link does not go together with an Authorization header"));
    }
    let blob = request.path().strip_prefix(ROOT).unwrap_or_default();
    let wanted: &[char] = if request.parts.method == Method::PUT { &['c', 'w'] } else { &['r'] };
    sim.sas.admits(request.path(), request.raw_query(), wanted, sim.clock.now())?;
    let log = blob.strip_prefix("logs/").and_then(|rest| rest.strip_suffix("/rawtext.log"));
    match (&request.parts.method, log) {
        (&Method::PUT, None) => put(sim, request, blob),
        (&Method::GET | &Method::HEAD, Some(run)) => read(sim, request, run),
        (&Method::GET | &Method::HEAD, None) => Err(StorageError::BLOB_NOT_FOUND),
        _ => Err(StorageError::VERB),
    }
}

fn put(sim: &Sim, request: &Received, blob: &str) -> Result<Response, StorageError> {
    match request.header("x-ms-blob-type") {
        None => return Err(StorageError::missing_header("x-ms-blob-type")),
        Some("BlockBlob") => {}
        Some(_) => return Err(StorageError::header_value("x-ms-blob-type")),
    }
    if request.header("content-length").is_none() {
        return Err(StorageError::LENGTH);
    }
    let tag = etag(&request.body);
    match sim.world().uploads.get_mut(blob) {
        Some(content) => *content = Some(request.body.clone()),
        None => return Err(StorageError::BLOB_NOT_FOUND),
    }
    let mut response = StatusCode::CREATED.into_response();
    set(&mut response, "x-ms-request-server-encrypted", "true");
    common(sim, request, &mut response, &tag, sim.clock.now());
    Ok(response)
}

fn read(sim: &Sim, request: &Received, id: &str) -> Result<Response, StorageError> {
    let (bytes, blocks, completion, changed) = {
        let mut world = sim.world();
        let run = world.look_at(sim, id).ok_or(StorageError::BLOB_NOT_FOUND)?;
        let log = run.visible_log().ok_or(StorageError::BLOB_NOT_FOUND)?;
        (Bytes::copy_from_slice(log.bytes), log.blocks, log.completion, run.updated_at)
    };
    let total = bytes.len();
    let tag = etag(&bytes);
    let head = request.parts.method == Method::HEAD;
    let range = request.header("x-ms-range").or_else(|| request.header("range"));
    let mut response = match range.filter(|_| !head) {
        None => (StatusCode::OK, Body::from(bytes)).into_response(),
        Some(range) => {
            let range = within(range, total)?;
            let span = format!("bytes {}-{}/{total}", range.start, range.end - 1);
            let mut response = (StatusCode::PARTIAL_CONTENT, Body::from(bytes.slice(range))).into_response();
            set(&mut response, "content-range", &span);
            response
        }
    };
    if head {
        *response.body_mut() = Body::empty();
        set(&mut response, "content-length", &total.to_string());
    }
    set(&mut response, "content-type", "application/octet-stream");
    set(&mut response, "accept-ranges", "bytes");
    set(&mut response, "x-ms-blob-type", "AppendBlob");
    set(&mut response, "x-ms-blob-committed-block-count", &blocks.to_string());
    set(&mut response, "x-ms-lease-status", "unlocked");
    if let Some(completion) = completion {
        set(&mut response, "x-ms-meta-complete", completion);
    }
    common(sim, request, &mut response, &tag, changed);
    Ok(response)
}

/// `bytes=<first>-` or `bytes=<first>-<last>`, cut at the end of the blob.
fn within(range: &str, total: usize) -> Result<Range<usize>, StorageError> {
    let malformed = || StorageError::header_value("Range");
    let (first, last) = range.strip_prefix("bytes=").and_then(|span| span.split_once('-')).ok_or_else(malformed)?;
    let first: usize = first.parse().map_err(|_| malformed())?;
    let last: usize = if last.is_empty() { usize::MAX } else { last.parse().map_err(|_| malformed())? };
    if last < first {
        return Err(malformed());
    }
    if first >= total { Err(StorageError::RANGE) } else { Ok(first..last.saturating_add(1).min(total)) }
}

fn etag(content: &[u8]) -> String {
    format!("\"0x8D{}\"", hex::encode_upper(&Sha256::digest(content)[..6]))
}

fn common(sim: &Sim, request: &Received, response: &mut Response, tag: &str, changed: OffsetDateTime) {
    set(response, "etag", tag);
    set(response, "last-modified", &clock::http_date(changed));
    set(response, "date", &clock::http_date(sim.clock.now()));
    set(response, "server", "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0");
    set(response, "x-ms-request-id", &Uuid::new_v4().to_string());
    set(response, "x-ms-version", request.header("x-ms-version").unwrap_or("2023-01-03"));
    if let Some(client) = request.header("x-ms-client-request-id") {
        set(response, "x-ms-client-request-id", client);
    }
}

fn set(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_end_and_refused_beyond_it() {
        assert_eq!(within("bytes=0-4095", 10), Ok(0..10));
        assert_eq!(within("bytes=3-5", 10), Ok(3..6));
        assert_eq!(within("bytes=9-", 10), Ok(9..10));
        assert_eq!(within("bytes=10-", 10), Err(StorageError::RANGE));
        assert_eq!(within("bytes=0-", 0), Err(StorageError::RANGE));
        for malformed in ["bytes=-5", "bytes=5-3", "lines=1-2", "bytes=a-b"] {
            assert_eq!(within(malformed, 10).map_err(|e| e.code), Err("InvalidHeaderValue"), "{malformed}");
        }
    }
}
