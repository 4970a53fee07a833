//! Long-running operations on the app: how long each takes, how it ends, and how it is followed.
//!
//! Recorded: `containerappOperationStatuses` answer 200 with a status and without Retry-After,
//! `containerappOperationResults` 202 with a new Location until the app itself is the answer. A failure tells its
//! reason in the status alone.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::view;
use crate::dev::azure::arm_error::ArmError;
use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;
use crate::dev::azure::{clock, registry};

/// How long the result of an operation is kept.
const KEPT: time::Duration = time::Duration::hours(24);
const RETRY_AFTER_S: u64 = 5;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Work {
    /// A new revision, and the problem that this will end with.
    Revise {
        problem: Option<Problem>,
    },
    Configure,
    Delete,
}

/// Why an operation failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) message: String,
}

pub(super) struct Operation {
    pub(super) id: String,
    pub(super) work: Work,
    started_at: OffsetDateTime,
    beats: u32,
    /// `None` while it goes on.
    pub(super) outcome: Option<Result<(), Problem>>,
}

impl Operation {
    pub(super) fn new(id: String, work: Work, now: OffsetDateTime) -> Self {
        Self { id, work, started_at: now, beats: 0, outcome: None }
    }

    /// Whether it ended with this beat.
    pub(super) fn beat(&mut self) -> bool {
        if self.outcome.is_some() {
            return false;
        }
        self.beats += 1;
        let (length, outcome) = match &self.work {
            Work::Revise { problem } => (3, problem.clone().map_or(Ok(()), Err)),
            Work::Configure | Work::Delete => (2, Ok(())),
        };
        if self.beats < length {
            return false;
        }
        self.outcome = Some(outcome);
        true
    }

    fn status(&self) -> &'static str {
        match self.outcome {
            None => "InProgress",
            Some(Ok(())) => "Succeeded",
            Some(Err(_)) => "Failed",
        }
    }

    fn told(&self, sim: &Sim) -> Value {
        let mut body = json!({
            "id": path(sim, "Statuses", &self.id),
            "name": self.id,
            "status": self.status(),
            "startTime": clock::zoneless(self.started_at),
        });
        if let Some(Err(problem)) = &self.outcome {
            body["error"] = json!({"code": problem.code, "message": problem.message});
        }
        body
    }
}

fn path(sim: &Sim, kind: &str, id: &str) -> String {
    format!(
        "/subscriptions/{}/providers/Microsoft.App/locations/{}/containerappOperation{kind}/{id}",
        sim.options.subscription_id,
        registry::LOCATION
    )
}

/// Where to follow the operation, signed for now.
fn addresses(sim: &Sim, id: &str, version: &str) -> [(&'static str, String); 2] {
    let now = sim.clock.now();
    let at = |kind: &str, start: String| format!("{}{}", sim.base, sim.polls.signed(&path(sim, kind, id), &start, now));
    [
        ("azure-asyncoperation", at("Statuses", format!("api-version={version}&azureAsyncOperation=true"))),
        ("location", at("Results", format!("api-version={version}"))),
    ]
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// 202 without a body.
pub(super) fn accepted(sim: &Sim, id: &str, version: &str) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    for (name, address) in addresses(sim, id, version) {
        put(response.headers_mut(), name, &address);
    }
    response.headers_mut().insert("retry-after", HeaderValue::from(RETRY_AFTER_S));
    put(response.headers_mut(), "x-ms-async-operation-timeout", "PT15M");
    response
}

/// A look at an operation; `kind` is the last part of the type's name in lower case.
pub(super) fn follow(sim: &Sim, request: &Received, kind: &str, id: &str, version: &str) -> Result<Response, ArmError> {
    let now = sim.clock.now();
    sim.polls.admits(request.path(), request.raw_query(), now)?;
    let mut world = sim.world();
    world.look_at_app(sim);
    let operation =
        world.apps.operations.iter().find(|operation| operation.id == id && now - operation.started_at < KEPT);
    let operation = operation.ok_or_else(|| {
        ArmError::not_found(
            "OperationNotFound",
            format!("The operation '{id}' was not found or its result has expired."),
        )
    })?;
    let [status, location] = addresses(sim, &operation.id, version);
    if kind == "statuses" {
        let mut response = Json(operation.told(sim)).into_response();
        put(response.headers_mut(), status.0, &status.1);
        return Ok(response);
    }
    if operation.outcome.is_none() {
        let mut response = StatusCode::ACCEPTED.into_response();
        put(response.headers_mut(), location.0, &location.1);
        response.headers_mut().insert("retry-after", HeaderValue::from(RETRY_AFTER_S));
        return Ok(response);
    }
    match &world.apps.app {
        Some(app) => Ok(Json(view::app(sim, app)).into_response()),
        None if operation.work == Work::Delete => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(super::missing(sim)),
    }
}
