//! The probe: starting it, looking at it, releasing a blocked drill. For any caller who is known.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::auth::Caller;
use super::body::JsonBody;
use super::conditional::{Known, Tag, poll};
use super::error::ApiError;
use super::idempotency::idempotency_key;
use super::params::{Params, Segments};
use super::refusal::unknown_run;
use super::router::HttpState;
use super::status::CustomStatus;
use super::{answer, runs};
use crate::engine::StartRequest;
use crate::model::{Failure, Run, RunId, Scope, Status, Timestamp};
use crate::pipelines::probe::{ProbeInput, RELEASE, SPEC};

const LONGEST_WAIT: u64 = 86_400;
const RETRY_AFTER: u32 = 1;

#[derive(Serialize)]
struct Queued {
    id: RunId,
    instance_id: RunId,
    task_id: RunId,
    #[serde(rename = "statusQueryGetUri")]
    status_query_get_uri: String,
    status: &'static str,
}

#[derive(Serialize)]
struct ProbeStatus {
    id: RunId,
    runtime_status: Status,
    custom_status: CustomStatus,
    output: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    created_time: Timestamp,
    last_updated_time: Timestamp,
}

/// POST /api/probe/start with an optional [`ProbeInput`]: 202, and the same run again for the same caller and key.
///
/// # Errors
/// 400 `unknown_phase`, `invalid_seconds` and those of the body and the key; 409 `idempotency_key_reused`,
/// `pipeline_disabled`; 503 `not_queued`.
pub async fn start(
    State(state): State<HttpState>,
    caller: Caller,
    headers: HeaderMap,
    body: Option<JsonBody<ProbeInput>>,
) -> Result<Response, ApiError> {
    let input = body.map(|JsonBody(input)| input).unwrap_or_default();
    check(&input)?;
    let key = idempotency_key(&headers)?;
    let request = StartRequest {
        pipeline: SPEC.name,
        scope: scope(&caller, key.as_deref()),
        input: serde_json::to_value(&input).map_err(|error| ApiError::internal(error.to_string()))?,
        started_by: caller.oid,
        idempotency_key: key,
    };
    let run = state.engine.start(request).await?.run;
    let location = location(&run.id);
    let queued = Queued {
        id: run.id.clone(),
        instance_id: run.id.clone(),
        task_id: run.id,
        status_query_get_uri: location.clone(),
        status: "queued",
    };
    Ok(answer::accepted(&location, RETRY_AFTER, queued))
}

/// GET /api/probe/{id}/status: 200 whether it has ended or not, 304 if the caller knows it. `?wait=` waits for news.
///
/// # Errors
/// 404 `unknown_run`, 400 `invalid_wait`.
pub async fn status(
    State(state): State<HttpState>,
    _: Caller,
    headers: HeaderMap,
    params: Params,
    segments: Segments,
) -> Result<Response, ApiError> {
    let (wait, known) = (params.wait()?, Known::of(&headers));
    let id = segments.run("id").ok_or_else(unknown_run)?;
    let tag = |run: &Run| Tag::of("probe", Some(run));
    let run = poll(wait, || probe(&state, &id), |run| known.is_answered(&tag(run), run.is_ended())).await?;
    let tag = tag(&run);
    if known.has(&tag) {
        return Ok(answer::not_modified(&tag));
    }
    let status = ProbeStatus {
        id,
        runtime_status: run.status(),
        custom_status: CustomStatus::of(&state.engine, &run),
        output: run.output,
        failure: run.failure,
        created_time: run.created_at,
        last_updated_time: run.updated_at,
    };
    Ok(answer::tagged(&tag, status))
}

/// POST /api/probe/{id}/release: 202; a drill that blocks goes on, now or when it comes to its block.
///
/// # Errors
/// 404 `unknown_run`, 410 `run_ended`.
pub async fn release(State(state): State<HttpState>, _: Caller, segments: Segments) -> Result<Response, ApiError> {
    let id = segments.run("id").ok_or_else(unknown_run)?;
    probe(&state, &id).await?;
    let run = state.engine.signal(&id, RELEASE, true.into()).await?;
    Ok(answer::accepted(&location(&id), RETRY_AFTER, serde_json::json!({"id": id, "runtime_status": run.status()})))
}

fn location(id: &RunId) -> String {
    format!("/api/probe/{id}/status")
}

async fn probe(state: &HttpState, id: &RunId) -> Result<Run, ApiError> {
    runs::find(state, id, Some(SPEC.name)).await?.ok_or_else(unknown_run)
}

fn check(input: &ProbeInput) -> Result<(), ApiError> {
    let Some(drill) = &input.drill else { return Ok(()) };
    if SPEC.phase(&drill.phase).is_none() {
        let names: Vec<_> = SPEC.phases.iter().map(|phase| phase.name).collect();
        return Err(ApiError::bad_request(
            "unknown_phase",
            format!("Give as `drill.phase` one of: {}.", names.join(", ")),
        ));
    }
    if drill.seconds > LONGEST_WAIT {
        let message = format!("Give `drill.seconds` as at most {LONGEST_WAIT}.");
        return Err(ApiError::bad_request("invalid_seconds", message));
    }
    Ok(())
}

/// Probes change nothing, so each has a scope of its own; those that one caller marks as the same request share one.
fn scope(caller: &Caller, key: Option<&str>) -> Scope {
    let Some(key) = key else { return Scope::new(format!("probe:{}", uuid::Uuid::new_v4().simple())) };
    let whose = serde_json::json!([caller.tenant, caller.oid, key]).to_string();
    Scope::new(format!("probe:{}", hex::encode(Sha256::digest(whose))))
}
