//! GET /api/upgrade/status: the newest upgrade or rollback, as far as its run and the snapshot tell.

mod back;
mod cause;
mod rollout;
mod state;
mod view;

pub use cause::cause;
pub use rollout::remembered;
pub use state::UpgradeState;
pub use view::Versions;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use super::going_back::{Kept, kept};
use super::latest;
use crate::http::answer;
use crate::http::auth::Caller;
use crate::http::conditional::{Known, Tag, poll};
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::router::HttpState;
use crate::http::status::disabled;
use crate::model::Run;
use back::BackView;
use view::UpgradeStatus;

/// What a status is made of.
struct Seen {
    run: Option<Run>,
    kept: Kept,
    back: BackView,
}

/// 200, or 304 if the caller knows it. `?wait=` waits for news; an idle platform has none.
///
/// # Errors
/// 400 `invalid_wait`.
pub async fn status(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let (wait, known) = (params.wait()?, Known::of(&headers));
    let admin = state.upgrade.is_admin(&caller);
    let form = format!("upgrade {admin}");
    let read = async || {
        let run = latest(&state).await?;
        let kept = kept(&state).await?;
        let back = BackView::of(run.as_ref(), &kept, state.engine.now());
        Ok::<_, ApiError>(Seen { run, kept, back })
    };
    let disabled = |seen: &Seen| seen.run.as_ref().and_then(|run| disabled(&state.engine, run));
    let tag = |seen: &Seen| Tag::of(&form, seen.run.as_ref()).with(&seen.back).with(&disabled(seen));
    let at_rest = |seen: &Seen| seen.run.as_ref().is_none_or(Run::is_ended);
    let seen = poll(wait, read, |seen| known.is_answered(&tag(seen), at_rest(seen))).await?;
    let tag = tag(&seen);
    if known.has(&tag) {
        return Ok(answer::not_modified(&tag));
    }
    let current = current_version(&state, &seen).await?;
    let view = match &seen.run {
        Some(run) => UpgradeStatus::of(run, seen.kept.snapshot(), &seen.back, &state.upgrade, &state.engine),
        None => UpgradeStatus::idle(&seen.back, state.engine.now()),
    };
    let mut view = view.running(current);
    if !admin {
        view.conceal();
    }
    Ok(answer::tagged(&tag, view))
}

/// What runs, where that is known without asking the platform. It changes only with the runs that the tag stands for.
async fn current_version(state: &HttpState, seen: &Seen) -> Result<Option<String>, ApiError> {
    let Some(snapshot) = seen.kept.snapshot() else { return Ok(None) };
    if snapshot.rolled_back_at.is_some() {
        return Ok(snapshot.version.clone());
    }
    let upgraded = match &seen.run {
        Some(run) if run.id == snapshot.job_id => Some(run.clone()),
        _ => state.engine.run(&snapshot.job_id).await?,
    };
    let succeeded = upgraded.is_some_and(|run| UpgradeState::of(&run) == UpgradeState::Succeeded);
    let returning = seen
        .run
        .as_ref()
        .is_some_and(|run| matches!(UpgradeState::of(run), UpgradeState::RollingBack | UpgradeState::RollbackFailed));
    Ok((succeeded && !returning).then(|| snapshot.target_version.clone()))
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(str::to_owned)
}
