//! What the engine refuses or cannot do, as its callers are told.

use std::time::Duration;

use super::error::ApiError;
use crate::engine::ports::{StoreError, Unreadable};
use crate::engine::{RetryError, StartError, TellError};

const PAUSE: Duration = Duration::from_secs(5);

/// There is no such run, or not one of the kind that was asked for.
pub fn unknown_run() -> ApiError {
    ApiError::not_found("unknown_run", "There is no such run. GET /api/runs lists those there are.")
}

/// Another version may be at work beside this one and answer the next time.
fn unreadable(row: &Unreadable) -> ApiError {
    match row.key.split_once("/run:") {
        Some((tag, name)) => {
            let message = format!("Run {tag}-{name} cannot be read and stays as it is: {row}.");
            ApiError::unavailable("run_unreadable", message, PAUSE)
        }
        None => ApiError::unavailable("row_unreadable", format!("It stays as it is: {row}."), PAUSE),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(detail) => {
                let message = "The storage does not answer at the moment. Nothing is lost; try again.";
                Self::unavailable("storage_unavailable", message, PAUSE).with_detail(detail)
            }
            StoreError::Refused(detail) => Self::internal(detail),
            StoreError::Unreadable(row) => unreadable(&row),
        }
    }
}

impl From<TellError> for ApiError {
    fn from(error: TellError) -> Self {
        match error {
            TellError::Unknown => unknown_run(),
            TellError::Ended => Self::gone("run_ended", "The run has ended; nothing can be asked of it any more."),
            TellError::FallingBack => Self::conflict(
                "run_falling_back",
                "The run is going back to what was before, which is not stopped half way. Wait for its end.",
            ),
            TellError::Store(error) => error.into(),
        }
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::UnknownPipeline(name) => Self::internal(format!("pipeline {name} is not registered")),
            StartError::Busy { scope, owner } => Self::conflict(
                "run_in_flight",
                format!("Run {owner} is changing {scope}. Wait for its end, or terminate it."),
            ),
            StartError::Closed { pipeline, reasons } => Self::conflict(
                "pipeline_disabled",
                format!(
                    "The pipeline {pipeline} is switched off, at least in part: {}. Remove what switches it off, let the \
                     function app restart, then send the same again.",
                    reasons.join("; ")
                ),
            ),
            StartError::KeyReused(run) => Self::conflict(
                "idempotency_key_reused",
                format!(
                    "This Idempotency-Key was sent before with another request, which started run {run}. Give every \
                     request a key of its own."
                ),
            ),
            StartError::NotQueued(error) => Self::unavailable(
                "not_queued",
                "The queue did not take the run, so it was ended again before it began. Try again.",
                PAUSE,
            )
            .with_detail(error.to_string()),
            StartError::Store(error) => error.into(),
        }
    }
}

impl From<RetryError> for ApiError {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Unknown => unknown_run(),
            RetryError::NotEnded { status, phase } => Self::conflict(
                "run_not_ended",
                format!("The run is {status:?}, in phase {phase}. Wait for its end, or terminate it first."),
            ),
            RetryError::NothingToRetry => {
                Self::conflict("nothing_to_retry", "The run has succeeded. Start another run if you want more.")
            }
            RetryError::NotResumable(failure) => Self::conflict(
                "not_resumable",
                format!("The run cannot go on where it ended ({}): {}.", failure.code, failure.message),
            ),
            RetryError::Superseded(later) => Self::conflict(
                "superseded",
                format!("Run {later} has begun since. Rewind that one if it failed, or start another run."),
            ),
            RetryError::Start(error) => error.into(),
        }
    }
}
