//! GET /api/upgrade/status: the latest upgrade, as far as its run tells.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::{log_path, platform};
use crate::engine::NOT_QUEUED;
use crate::http::answer;
use crate::http::auth::Caller;
use crate::http::conditional::{Known, Tag, poll};
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::router::HttpState;
use crate::http::status::{conceal_quotes, told_progress};
use crate::model::{End, Failure, Progress, Run, RunId, Status, Timestamp, Verdict};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeState {
    Idle,
    Queued,
    Fetching,
    Building,
    Succeeded,
    /// Failed or terminated before the platform itself was touched.
    FailedPre,
}

impl UpgradeState {
    pub fn of(run: &Run) -> Self {
        match &run.progress {
            Progress::Ended { end: End::Completed(Verdict::Succeeded), .. } => Self::Succeeded,
            // A start that could not be queued leaves everything as it was.
            Progress::Ended { .. } if run.failure.as_ref().is_some_and(|f| f.code == NOT_QUEUED) => Self::Idle,
            Progress::Ended { .. } => Self::FailedPre,
            _ if run.status() == Status::Pending => Self::Queued,
            _ if run.phase.starts_with("fetch") => Self::Fetching,
            _ => Self::Building,
        }
    }

    /// What the run tells, within the bounds of its state.
    pub fn percent(self, run: &Run) -> u64 {
        let told = told_progress(&run.state);
        match self {
            Self::Idle => 0,
            Self::Queued => 1,
            Self::Fetching => told.unwrap_or_default().clamp(10, 29),
            Self::Building => told.unwrap_or_default().clamp(30, 99),
            Self::Succeeded => 100,
            Self::FailedPre => told.unwrap_or(1),
        }
    }
}

#[derive(Serialize)]
struct UpgradeStatus {
    state: UpgradeState,
    job_id: Option<RunId>,
    target_version: Option<String>,
    target_sha: Option<String>,
    commit: Option<String>,
    progress: u64,
    components: Vec<ComponentStatus>,
    error: Option<Failure>,
    cancel_requested: bool,
    started_by: Option<String>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    /// By component.
    log_urls: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct ComponentStatus {
    name: String,
    /// waiting, scheduled, queued, running, succeeded, failed or cancelled
    state: String,
    run_id: Option<String>,
    digest: Option<String>,
    image: Option<String>,
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
    let platform = platform();
    let read = async || {
        let latest = state.engine.latest(&platform).await?;
        Ok::<_, ApiError>(latest.filter(|run| UpgradeState::of(run) != UpgradeState::Idle))
    };
    let tag = |run: &Option<Run>| Tag::of(&form, run.as_ref());
    let at_rest = |run: &Option<Run>| run.as_ref().is_none_or(Run::is_ended);
    let run = poll(wait, read, |run| known.is_answered(&tag(run), at_rest(run))).await?;
    let tag = tag(&run);
    if known.has(&tag) {
        return Ok(answer::not_modified(&tag));
    }
    let mut view = match &run {
        Some(run) => UpgradeStatus::of(run, &state.upgrade.components),
        None => UpgradeStatus::idle(),
    };
    if let Some(error) = view.error.as_mut().filter(|_| !admin) {
        conceal_quotes(&mut error.detail);
    }
    Ok(answer::tagged(&tag, view))
}

impl UpgradeStatus {
    fn idle() -> Self {
        Self {
            state: UpgradeState::Idle,
            job_id: None,
            target_version: None,
            target_sha: None,
            commit: None,
            progress: 0,
            components: Vec::new(),
            error: None,
            cancel_requested: false,
            started_by: None,
            created_at: None,
            updated_at: None,
            ended_at: None,
            log_urls: BTreeMap::new(),
        }
    }

    /// What the run's state does not tell, or tells in another form than expected, is left out.
    fn of(run: &Run, components: &[String]) -> Self {
        let state = UpgradeState::of(run);
        Self {
            state,
            job_id: Some(run.id.clone()),
            target_version: text(&run.input, "target_version"),
            target_sha: text(&run.input, "target_sha"),
            commit: text(&run.state, "commit"),
            progress: state.percent(run),
            components: components.iter().map(|name| ComponentStatus::of(run, name)).collect(),
            error: error(run),
            cancel_requested: run.cancel.is_some(),
            started_by: Some(run.started_by.clone()),
            created_at: Some(run.created_at),
            updated_at: Some(run.updated_at),
            ended_at: match run.progress {
                Progress::Ended { at, .. } => Some(at),
                _ => None,
            },
            log_urls: components.iter().map(|name| (name.clone(), log_path(&run.id, name))).collect(),
        }
    }
}

impl ComponentStatus {
    /// From the state's `builds`, and from the output's `images` for what the state does not tell.
    fn of(run: &Run, name: &str) -> Self {
        let entry = |value: &Value, of: &str| value.get(of).and_then(|entries| entries.get(name)).cloned();
        let build = entry(&run.state, "builds").unwrap_or_default();
        let image = entry(&run.output, "images").unwrap_or_default();
        Self {
            name: name.to_owned(),
            state: text(&build, "status").unwrap_or_else(|| "waiting".to_owned()),
            run_id: text(&build, "run_id"),
            digest: text(&build, "digest").or_else(|| text(&image, "digest")),
            image: text(&build, "image").or_else(|| text(&image, "image")),
        }
    }
}

fn text(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(str::to_owned)
}

/// Why there are no images.
fn error(run: &Run) -> Option<Failure> {
    let Progress::Ended { end, .. } = run.progress else { return None };
    match end {
        End::Completed(Verdict::Succeeded) => None,
        End::Terminated => {
            let cancel = run.cancel.as_ref();
            let detail = cancel.map(|cancel| json!({"by": cancel.by, "reason": cancel.reason, "at": cancel.at}));
            let message = "The upgrade was terminated on request. Start it again when it is wanted.";
            Some(Failure::new("cancelled", message).with_detail(detail.unwrap_or_default()))
        }
        End::Failed | End::Completed(Verdict::Failed) => Some(run.failure.clone().unwrap_or_else(|| told_error(run))),
    }
}

/// The error in the output of a run that came to its end without success.
fn told_error(run: &Run) -> Failure {
    let error = run.output.get("error").unwrap_or(&Value::Null);
    let message = text(error, "message").or_else(|| error.as_str().map(str::to_owned));
    Failure::new(
        text(error, "code").as_deref().unwrap_or("upgrade_failed"),
        message.as_deref().unwrap_or("The upgrade failed; the build logs tell why."),
    )
    .with_detail(error.get("detail").cloned().unwrap_or_default())
}
