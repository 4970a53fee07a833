//! GET /api/runs: the newest first, over one pipeline or all.

use std::cmp::Ordering;
use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::view::RunView;
use crate::http::answer;
use crate::http::auth::Caller;
use crate::http::error::ApiError;
use crate::http::params::{Misfit, Params};
use crate::http::router::HttpState;
use crate::model::{Run, RunId, Status, Timestamp};

/// In an answer: there may be more. In a request: go on from there.
const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation-token");
/// In an answer: the runs that are left out because this version cannot read them.
const UNREADABLE: HeaderName = HeaderName::from_static("x-windlass-unreadable");
const DEFAULT_TOP: u64 = 50;
const MOST: u64 = 100;
/// Runs that one call looks at: a page may be short, or even empty, and still have a successor.
const LOOKED_AT: usize = 400;

/// What the caller wants to see.
struct Filter {
    statuses: Option<Vec<Status>>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// GET /api/runs with `pipeline`, `runtimeStatus` (several by commas), `createdTimeFrom`, `createdTimeTo` and `top`:
/// an array of runs, and the header `x-ms-continuation-token` while there may be more. Runs that this version cannot read
/// are left out and named in the header `x-windlass-unreadable`.
///
/// # Errors
/// 400 `unknown_pipeline`, `invalid_runtime_status`, `invalid_time`, `invalid_top`, `invalid_continuation_token`.
pub async fn list(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let pipelines = pipelines(&state, &params)?;
    let filter = Filter::of(&params)?;
    let top = params
        .number("top", 1..=MOST)
        .map_err(|Misfit| ApiError::bad_request("invalid_top", format!("Give top as a whole number, 1 to {MOST}.")))?;
    let top = usize::try_from(top.unwrap_or(DEFAULT_TOP)).unwrap_or(1);
    let after = continuation(&headers)?;

    let mut unreadable = Vec::new();
    let (runs, next) = page(&state, &pipelines, &filter, after, top, &mut unreadable).await?;
    let admin = state.upgrade.is_admin(&caller);
    let mut views: Vec<_> = runs.iter().map(|run| RunView::of(&state.engine, run, admin)).collect();
    if !admin {
        views.iter_mut().for_each(RunView::conceal);
    }
    let mut response = Json(views).into_response();
    // What lies behind the page's end is told with its own page.
    unreadable.retain(|id| next.as_ref().is_none_or(|end| by_age(id, end) == Ordering::Less));
    unreadable.sort_by(by_age);
    unreadable.dedup();
    if !unreadable.is_empty() {
        let ids: Vec<String> = unreadable.iter().map(RunId::to_string).collect();
        answer::set(&mut response, UNREADABLE, &ids.join(","));
    }
    if let Some(next) = next {
        answer::set(&mut response, CONTINUATION, &URL_SAFE_NO_PAD.encode(next.to_string()));
    }
    Ok(response)
}

/// Merges the pipelines' lists by age until `top` runs fit or enough were looked at.
async fn page(
    state: &HttpState,
    pipelines: &[&'static str],
    filter: &Filter,
    mut after: Option<RunId>,
    top: usize,
    unreadable: &mut Vec<RunId>,
) -> Result<(Vec<Run>, Option<RunId>), ApiError> {
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let mut lists = Vec::new();
        for pipeline in pipelines {
            let page = state.engine.list(pipeline, after.as_ref(), top).await?;
            looked_at += page.unreadable.len();
            unreadable.extend(page.unreadable);
            lists.push((VecDeque::from(page.runs), page.next));
        }
        // Beyond the nearest end of a list nothing is known about its pipeline.
        let known_to = lists.iter().filter_map(|(_, next)| next.as_ref()).min_by(|a, b| by_age(a, b)).cloned();
        while let Some(run) = newest(&mut lists) {
            if known_to.as_ref().is_some_and(|end| by_age(&run.id, end) == Ordering::Greater) {
                break;
            }
            if filter.from.is_some_and(|from| run.created_at < from) {
                return Ok((found, None));
            }
            looked_at += 1;
            let id = run.id.clone();
            if filter.fits(&run) {
                found.push(run);
            }
            if found.len() == top || looked_at >= LOOKED_AT {
                let more = known_to.is_some() || lists.iter().any(|(runs, _)| !runs.is_empty());
                return Ok((found, more.then_some(id)));
            }
        }
        match known_to {
            Some(end) if looked_at >= LOOKED_AT => return Ok((found, Some(end))),
            Some(end) => after = Some(end),
            None => return Ok((found, None)),
        }
    }
}

fn newest(lists: &mut [(VecDeque<Run>, Option<RunId>)]) -> Option<Run> {
    let nonempty = lists.iter_mut().map(|(runs, _)| runs).filter(|runs| !runs.is_empty());
    nonempty.min_by(|a, b| a.front().zip(b.front()).map_or(Ordering::Equal, |(a, b)| by_age(&a.id, &b.id)))?.pop_front()
}

/// As every list of the engine is sorted: the newest first.
fn by_age(a: &RunId, b: &RunId) -> Ordering {
    (a.name(), a.tag()).cmp(&(b.name(), b.tag()))
}

impl Filter {
    fn of(params: &Params) -> Result<Self, ApiError> {
        let statuses = params.text("runtimeStatus").map(|text| text.split(',').map(status).collect()).transpose()?;
        Ok(Self { statuses, from: time(params, "createdTimeFrom")?, to: time(params, "createdTimeTo")? })
    }

    fn fits(&self, run: &Run) -> bool {
        self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&run.status()))
            && self.to.is_none_or(|to| run.created_at <= to)
    }
}

fn status(text: &str) -> Result<Status, ApiError> {
    const ALL: [Status; 5] = [Status::Pending, Status::Running, Status::Completed, Status::Failed, Status::Terminated];
    ALL.into_iter().find(|status| format!("{status:?}").eq_ignore_ascii_case(text.trim())).ok_or_else(|| {
        let message = format!("Give runtimeStatus as one or several, separated by commas, of {ALL:?}.");
        ApiError::bad_request("invalid_runtime_status", message)
    })
}

fn time(params: &Params, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = params.text(name) else { return Ok(None) };
    Timestamp::parse(&text).map(Some).ok_or_else(|| {
        ApiError::bad_request("invalid_time", format!("Give {name} as RFC 3339, for example 2026-11-21T02:42:15Z."))
    })
}

fn pipelines(state: &HttpState, params: &Params) -> Result<Vec<&'static str>, ApiError> {
    let all: Vec<_> = state.engine.pipelines().map(|pipeline| pipeline.name).collect();
    let Some(wanted) = params.text("pipeline") else { return Ok(all) };
    match all.iter().find(|name| **name == wanted) {
        Some(name) => Ok(vec![*name]),
        None => {
            let message = format!("Give as pipeline one of: {}.", all.join(", "));
            Err(ApiError::bad_request("unknown_pipeline", message))
        }
    }
}

fn continuation(headers: &HeaderMap) -> Result<Option<RunId>, ApiError> {
    let Some(given) = headers.get(CONTINUATION).filter(|value| !value.is_empty()) else { return Ok(None) };
    let id = URL_SAFE_NO_PAD.decode(given).ok().and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    id.map(Some).ok_or_else(|| {
        ApiError::bad_request(
            "invalid_continuation_token",
            "Send in x-ms-continuation-token what an earlier answer had there, or leave it out to begin anew.",
        )
    })
}
