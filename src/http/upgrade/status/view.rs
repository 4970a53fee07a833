//! The answer, field by field. What the run's state does not tell, or tells in another form than expected, is left out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::back::{BackView, Countdown};
use super::rollout::{ApprovalView, RolloutView, ValidationView, remembered};
use super::{UpgradeState, cause, text};
use crate::engine::Engine;
use crate::http::router::UpgradeHttp;
use crate::http::status::{Why, conceal_quotes};
use crate::http::upgrade::{PIPELINE, log_path};
use crate::model::{Failure, Progress, Run, RunId, Timestamp};
use crate::pipelines::upgrade::rollout::snapshot::Snapshot;
use crate::pipelines::upgrade::rollout::{Return, Rollout, Strategy};

#[derive(Serialize)]
pub struct UpgradeStatus<'a> {
    state: UpgradeState,
    /// `upgrade` or `rollback`
    kind: Option<String>,
    job_id: Option<RunId>,
    target_version: Option<String>,
    target_sha: Option<String>,
    from_version: Option<String>,
    current_version: Option<String>,
    strategy: Option<Strategy>,
    commit: Option<String>,
    progress: u64,
    components: Vec<ComponentStatus>,
    rollout: Option<RolloutView>,
    approval: Option<ApprovalView>,
    validation: Option<ValidationView>,
    rollback: Countdown<'a>,
    error: Option<Failure>,
    /// What the run waits for.
    why: Option<Why>,
    cancel_requested: bool,
    started_by: Option<String>,
    retry_of: Option<RunId>,
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

impl<'a> UpgradeStatus<'a> {
    pub fn idle(back: &'a BackView, now: Timestamp) -> Self {
        Self {
            state: UpgradeState::Idle,
            kind: None,
            job_id: None,
            target_version: None,
            target_sha: None,
            from_version: None,
            current_version: None,
            strategy: None,
            commit: None,
            progress: 0,
            components: Vec::new(),
            rollout: None,
            approval: None,
            validation: None,
            rollback: back.counted(now),
            error: None,
            why: None,
            cancel_requested: false,
            started_by: None,
            retry_of: None,
            created_at: None,
            updated_at: None,
            ended_at: None,
            log_urls: BTreeMap::new(),
        }
    }

    /// `kept` is what there is to go back to.
    pub fn of(run: &Run, kept: Option<&Snapshot>, back: &'a BackView, settings: &UpgradeHttp, engine: &Engine) -> Self {
        let now = engine.now();
        let state = UpgradeState::of(run);
        let versions = Versions::of(run, kept);
        let builds = run.pipeline == PIPELINE;
        let components: &[String] = if builds { &settings.components } else { &[] };
        Self {
            state,
            kind: Some(run.pipeline.clone()),
            job_id: Some(run.id.clone()),
            target_version: versions.target,
            target_sha: text(&run.input, "target_sha"),
            from_version: versions.from,
            strategy: strategy(run, kept).or(builds.then_some(settings.platform.rollout.strategy)),
            commit: text(&run.state, "commit"),
            progress: state.percent(run),
            components: components.iter().map(|name| ComponentStatus::of(run, name)).collect(),
            rollout: RolloutView::of(run),
            approval: ApprovalView::of(run, now),
            validation: ValidationView::of(run),
            error: cause(run),
            why: Why::of(engine, run),
            cancel_requested: run.cancel.is_some(),
            started_by: Some(run.started_by.clone()),
            retry_of: run.retry_of.clone(),
            created_at: Some(run.created_at),
            updated_at: Some(run.updated_at),
            ended_at: match run.progress {
                Progress::Ended { at, .. } => Some(at),
                _ => None,
            },
            log_urls: components.iter().map(|name| (name.clone(), log_of(run, name))).collect(),
            ..Self::idle(back, now)
        }
    }

    pub fn running(mut self, current_version: Option<String>) -> Self {
        self.current_version = current_version;
        self
    }

    /// Leaves out what only admins may see.
    pub fn conceal(&mut self) {
        if let Some(error) = &mut self.error {
            conceal_quotes(&mut error.detail);
        }
    }
}

/// From where to where a run leads.
pub struct Versions {
    pub from: Option<String>,
    pub target: Option<String>,
}

impl Versions {
    pub fn of(run: &Run, kept: Option<&Snapshot>) -> Self {
        if run.pipeline == PIPELINE {
            let rollout: Option<Rollout> = remembered(run, "rollout");
            return Self {
                from: rollout.and_then(|rollout| rollout.from_version),
                target: text(&run.input, "target_version"),
            };
        }
        let undone =
            kept.filter(|snapshot| text(&run.input, "job_id").is_some_and(|id| id == snapshot.job_id.to_string()));
        let back: Option<Return> = remembered(run, "rollback");
        Self {
            from: undone.map(|snapshot| snapshot.target_version.clone()),
            target: back.map_or_else(|| undone.and_then(|snapshot| snapshot.version.clone()), |back| back.to_version),
        }
    }
}

fn strategy(run: &Run, kept: Option<&Snapshot>) -> Option<Strategy> {
    if run.pipeline != PIPELINE {
        return kept.map(|snapshot| snapshot.strategy);
    }
    let rollout: Option<Rollout> = remembered(run, "rollout");
    let asked = || text(&run.input, "strategy").and_then(|name| Strategy::parse(&name));
    rollout.map(|rollout| rollout.strategy).or_else(asked)
}

/// A build that a retry keeps has its log with the upgrade that built it.
fn log_of(run: &Run, component: &str) -> String {
    let builds: Option<Map<String, Value>> = remembered(run, "builds");
    let built_by = builds.and_then(|builds| text(builds.get(component)?, "built_by")?.parse().ok());
    log_path(built_by.as_ref().unwrap_or(&run.id), component)
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
