//! GET /api/upgrade/jobs/{job_id}/build-log/{component}: the committed bytes of a component's build log.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::range::{Wanted, whole_characters};
use super::{PIPELINE, UpgradeAdmin, unknown_job};
use crate::http::conditional::poll;
use crate::http::error::ApiError;
use crate::http::params::{Misfit, Params, Segments};
use crate::http::router::HttpState;
use crate::http::{answer, runs};
use crate::model::Run;

/// The most that one answer holds, in bytes; the rest is to be asked for by its offset.
pub const CHUNK: u64 = 4 << 20;

/// Whether the log will grow no more.
const COMPLETE: HeaderName = HeaderName::from_static("x-windlass-log-complete");
/// How long it is now, in bytes.
const LENGTH: HeaderName = HeaderName::from_static("x-windlass-log-length");

enum Part {
    Offset(u64),
    Range(Wanted),
}

/// 200 with what there is from `?offset=` on (empty if there is nothing yet), or 206 with one Range; at most 4 MiB
/// either way. Only a Range may end within a character. `?wait=` waits for a first byte.
///
/// # Errors
/// 403 `not_an_admin`; 400 `unknown_component`, `invalid_offset`, `offset_and_range`, `invalid_wait`;
/// 404 `unknown_job`; 416 `range_not_satisfiable`.
pub async fn build_log(
    State(state): State<HttpState>,
    _: UpgradeAdmin,
    headers: HeaderMap,
    params: Params,
    segments: Segments,
) -> Result<Response, ApiError> {
    let name = format!("build-{}", component(&state, &segments)?);
    let part = Part::of(&params, &headers)?;
    let wait = params.wait()?;
    let id = segments.run("job_id").ok_or_else(unknown_job)?;
    let length = |run: &Run| run.logs.get(&name).map_or(0, crate::model::LogExtents::total);
    let read = async || runs::find(&state, &id, Some(PIPELINE)).await?.ok_or_else(unknown_job);
    let run = poll(wait, read, |run| run.is_ended() || length(run) >= part.needs()).await?;

    let length = length(&run);
    let mut response = match part {
        Part::Offset(offset) => {
            let end = length.min(offset.saturating_add(CHUNK));
            let mut bytes = read_log(&state, &run, &name, (offset.min(end), end)).await?;
            // At the very end there is nothing that could make a cut character whole.
            if !(run.is_ended() && end == length) {
                bytes.truncate(whole_characters(&bytes));
            }
            answer::text(bytes, None)
        }
        Part::Range(wanted) => match wanted.within(length) {
            Some((start, end)) => {
                let end = end.min(start.saturating_add(CHUNK));
                let bytes = read_log(&state, &run, &name, (start, end)).await?;
                answer::text(bytes, Some(format!("bytes {start}-{}/{length}", end - 1)))
            }
            None => unsatisfiable(length),
        },
    };
    answer::set(&mut response, header::ACCEPT_RANGES, "bytes");
    answer::set(&mut response, COMPLETE, if run.is_ended() { "true" } else { "false" });
    answer::set(&mut response, LENGTH, &length.to_string());
    Ok(response)
}

impl Part {
    fn of(params: &Params, headers: &HeaderMap) -> Result<Self, ApiError> {
        let offset = params.number("offset", 0..=u64::MAX).map_err(|Misfit| {
            ApiError::bad_request("invalid_offset", "Give offset as a whole number of bytes, from 0.")
        })?;
        // A log has no entity tag, so no If-Range can hold, and then the range does not count.
        let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
        match (offset, range.and_then(|range| Wanted::parse(range.to_str().ok()?))) {
            (Some(_), Some(_)) => {
                Err(ApiError::bad_request("offset_and_range", "Ask by ?offset= or by the header Range, not by both."))
            }
            (_, Some(wanted)) => Ok(Self::Range(wanted)),
            (offset, None) => Ok(Self::Offset(offset.unwrap_or_default())),
        }
    }

    /// From which length on there is something to answer with.
    fn needs(&self) -> u64 {
        match self {
            Self::Offset(offset) => offset.saturating_add(1),
            Self::Range(wanted) => wanted.needs(),
        }
    }
}

/// What was committed must be there.
async fn read_log(state: &HttpState, run: &Run, name: &str, (from, to): (u64, u64)) -> Result<Bytes, ApiError> {
    let bytes = state.engine.read_log(run, name, from, to).await?;
    match bytes.len() as u64 == to - from {
        true => Ok(bytes),
        false => Err(ApiError::internal(format!("log {name} of {} misses some of bytes {from} to {to}", run.id))),
    }
}

fn component<'a>(state: &HttpState, segments: &'a Segments) -> Result<&'a str, ApiError> {
    let known = &state.upgrade.components;
    segments.text("component").filter(|name| known.iter().any(|known| known == name)).ok_or_else(|| {
        ApiError::bad_request("unknown_component", format!("Ask for one of these components: {}.", known.join(", ")))
    })
}

fn unsatisfiable(length: u64) -> Response {
    let message = format!("The log has {length} bytes; ask for some of these.");
    let mut response = ApiError::range_not_satisfiable("range_not_satisfiable", message).into_response();
    answer::set(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
    response
}
