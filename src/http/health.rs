//! GET /api/health: whether this instance can do its work. For anybody, hence without a word about why not.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::answer;
use super::router::HttpState;
use crate::model::redact;

/// What this instance depends on. Asked at every call of a route that needs no caller: it should be cheap, and is cut
/// off after five seconds.
#[async_trait]
pub trait Readiness: Send + Sync {
    async fn checks(&self) -> Vec<Check>;

    /// How many settings are likely not meant as they are. What they are is in the log.
    fn warnings(&self) -> usize {
        0
    }
}

/// One dependency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    pub name: &'static str,
    /// Why it cannot be used. Goes to the log alone.
    pub fault: Option<String>,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    /// What it was built from, where the build said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    pipelines: Vec<&'static str>,
    /// Those of them that cannot be started, because functions of theirs are switched off.
    disabled: Vec<&'static str>,
    warnings: usize,
    checks: BTreeMap<&'static str, &'static str>,
}

/// 200 `ready` or 503 `unavailable`, with the checks' names as `ok` or `failing`.
pub async fn get(State(state): State<HttpState>) -> Response {
    const PATIENCE: Duration = Duration::from_secs(5);
    let checks = tokio::time::timeout(PATIENCE, state.readiness.checks()).await.unwrap_or_else(|_| {
        vec![Check { name: "answer", fault: Some(format!("the checks took longer than {} s", PATIENCE.as_secs())) }]
    });
    for Check { name, fault } in &checks {
        if let Some(fault) = fault {
            tracing::warn!(check = name, fault = redact(fault), "not ready");
        }
    }
    let ready = checks.iter().all(|check| check.fault.is_none());
    let names = || state.engine.pipelines().map(|pipeline| pipeline.name);
    let health = Health {
        status: if ready { "ready" } else { "unavailable" },
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("WINDLASS_COMMIT"),
        pipelines: names().collect(),
        disabled: names().filter(|name| state.engine.check_open(name).is_err()).collect(),
        warnings: state.readiness.warnings(),
        checks: checks.iter().map(|check| (check.name, if check.fault.is_none() { "ok" } else { "failing" })).collect(),
    };
    answer::healthy(ready, health)
}
