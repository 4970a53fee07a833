//! GET /api/upgrade/history: what was, checked as the one chain that it is.

mod entry;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::{BOTH, platform};
use crate::http::auth::Caller;
use crate::http::error::ApiError;
use crate::http::params::{Misfit, Params};
use crate::http::router::HttpState;
use crate::model::RunId;
use entry::HistoryEntry;

const DEFAULT: u64 = 50;
const MOST: u64 = 200;

#[derive(Serialize)]
pub struct History {
    /// The newest first.
    entries: Vec<HistoryEntry>,
    /// Whether everything that was looked at holds.
    intact: bool,
    /// The newest of what is wrong.
    broken: Option<String>,
    /// The oldest run, if it follows on runs that are not there any more.
    begins_at: Option<RunId>,
    /// The newest run that was not looked at any more, if others in between were too many.
    stopped_at: Option<RunId>,
}

/// 200 with upgrades and rollbacks, at most `?limit=` of them, and with their events if `?events=true` asks for them.
///
/// # Errors
/// 400 `invalid_limit`, `invalid_flag`.
pub async fn history(
    State(state): State<HttpState>,
    caller: Caller,
    params: Params,
) -> Result<Json<History>, ApiError> {
    let limit = params.number("limit", 1..=MOST).map_err(|Misfit| {
        ApiError::bad_request("invalid_limit", format!("Give limit as a whole number, 1 to {MOST}."))
    })?;
    let limit = usize::try_from(limit.unwrap_or(DEFAULT)).unwrap_or(1);
    let events = params
        .flag("events")
        .map_err(|Misfit| ApiError::bad_request("invalid_flag", "Give events as true or false."))?;
    let chronicle = state.engine.chronicle(&platform(), limit, Some(&BOTH)).await?;
    let mut entries: Vec<_> =
        chronicle.entries.into_iter().map(|entry| HistoryEntry::of(entry, events.unwrap_or_default())).collect();
    if !state.upgrade.is_admin(&caller) {
        entries.iter_mut().for_each(HistoryEntry::conceal);
    }
    let (broken, begins_at, stopped_at) = (chronicle.broken, chronicle.begins_at, chronicle.stopped_at);
    Ok(Json(History { entries, intact: chronicle.intact, broken, begins_at, stopped_at }))
}
