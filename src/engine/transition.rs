//! The only function that changes a run. Pure: no I/O, no clock.
//!
//! ```text
//! Ready --claim--> Leased --next | wait | retry | fall back--> Ready      (seq + 1)
//!   |                |  \--done | fail | terminate--> Ended    (seq + 1, the lock is released)
//!   |                \--claim, once the lease has run out--> Leased
//!   \--abort, while nothing has been claimed--> Ended
//! ```

use serde_json::{Value, json};

pub use super::step::{Changes, IllegalTransition, Step, Work};
use crate::model::{End, Event, EventKind, Fallback, Lease, Progress, Run, Timestamp, Wake};

/// The run as it will be, and the event that tells of it. A claim, a renewal and a checkpoint say only who
/// works and how far; they are no decisions and have no event, except a claim that takes over.
#[derive(Clone, PartialEq, Debug)]
pub struct Transition {
    pub run: Run,
    pub event: Option<Event>,
    /// To be written in the same transaction.
    pub documents: Changes,
}

/// `by` names the worker; `operation` names this write.
pub fn apply(
    run: &Run,
    by: &str,
    mut step: Step,
    now: Timestamp,
    operation: String,
) -> Result<Transition, IllegalTransition> {
    permit(run, by, &step, now)?;
    let mut next = Run { operation, updated_at: now, ..run.clone() };
    let documents = step.take_documents();
    let event = match step {
        Step::Claim { expires_at, .. } => {
            let taken_over = matches!(run.progress, Progress::Leased { .. });
            next.claims = run.claims.saturating_add(1);
            next.signalled = false;
            next.progress = Progress::Leased { lease: Lease { owner: by.to_owned(), expires_at } };
            taken_over.then(|| (EventKind::TakenOver, json!({"claims": next.claims})))
        }
        Step::Renew { expires_at } => {
            next.progress = Progress::Leased { lease: Lease { owner: by.to_owned(), expires_at } };
            None
        }
        Step::Checkpoint { work } => {
            save(&mut next, work);
            None
        }
        Step::Next { work, phase, deadline_at } => {
            save(&mut next, work);
            enter(&mut next, phase, deadline_at, now);
            Some((EventKind::Entered, Value::Null))
        }
        // What came while the phase was at work would be told to a run that is over, or has turned back.
        Step::Done { work, heeds, .. } | Step::Fail { work, heeds, .. } | Step::FallBack { work, heeds, .. }
            if is_unheard(run, heeds) =>
        {
            save(&mut next, work);
            ready(&mut next, now, Wake::Signalled);
            next.attempt = 1;
            Some((EventKind::Waiting, json!({"reason": "what the run was told meanwhile", "until": now})))
        }
        Step::FallBack { work, phase, cause, deadline_at, .. } => {
            save(&mut next, work);
            enter(&mut next, phase, deadline_at, now);
            let detail = json!({"from": run.phase, "cause": cause});
            next.fallback = Some(Fallback { from: run.phase.clone(), cause, at: now });
            Some((EventKind::FellBack, detail))
        }
        Step::Wait { work, wake_at, reason } => {
            save(&mut next, work);
            let wake_at = if run.signalled { now } else { wake_at };
            let detail = json!({"reason": reason, "until": wake_at});
            ready(&mut next, wake_at, Wake::Waiting { reason });
            next.attempt = 1;
            Some((EventKind::Waiting, detail))
        }
        Step::Retry { work, wake_at, failure } => {
            save(&mut next, work);
            ready(&mut next, wake_at, Wake::Retrying { code: failure.code.clone() });
            next.attempt = run.attempt.saturating_add(1);
            Some((EventKind::Retrying, json!({"cause": failure, "until": wake_at})))
        }
        Step::Done { work, verdict, output, .. } => {
            save(&mut next, work);
            next.output = output;
            next.failure = run.fallback.as_ref().map(|fallback| fallback.cause.clone());
            end(&mut next, End::Completed(verdict), now);
            Some((EventKind::Completed, json!({"verdict": verdict})))
        }
        Step::Fail { work, failure, .. } => {
            save(&mut next, work);
            let failure = match &run.fallback {
                Some(fallback) => failure.because(&fallback.cause),
                None => failure,
            };
            next.failure = Some(failure.clone());
            end(&mut next, End::Failed, now);
            Some((EventKind::Failed, json!({"cause": failure})))
        }
        Step::Terminate { work } => {
            save(&mut next, work);
            end(&mut next, End::Terminated, now);
            let reason = run.cancel.as_ref().map(|cancel| cancel.reason.clone());
            Some((EventKind::Terminated, json!({"reason": reason})))
        }
        Step::RequestCancel { request } => {
            let detail = json!({"by": request.by, "reason": request.reason});
            next.cancel = Some(request);
            if matches!(run.progress, Progress::Ready { .. }) {
                ready(&mut next, now, Wake::Cancelling);
            }
            Some((EventKind::CancelRequested, detail))
        }
        Step::Signal { name, value } => {
            let detail = json!({"name": name});
            next.signals.insert(name, value);
            next.signalled = true;
            // Only a wait is cut short; a first ticket, a retry's pause and a cancellation stay as they are.
            if matches!(run.progress, Progress::Ready { wake: Wake::Waiting { .. }, .. }) {
                ready(&mut next, now, Wake::Signalled);
            }
            Some((EventKind::Signalled, detail))
        }
        Step::Abort { failure } => {
            next.failure = Some(failure.clone());
            end(&mut next, End::Failed, now);
            Some((EventKind::Failed, json!({"cause": failure})))
        }
    };
    let event = event.map(|(kind, detail)| seal(&mut next, kind, detail));
    Ok(Transition { run: next, event, documents })
}

/// The first event of a run; every later one comes from [`apply`].
pub fn begin(run: &mut Run) -> Event {
    let mut detail = json!({"by": run.started_by, "pipeline": run.pipeline, "scope": run.scope});
    if let (Some(retry_of), Some(told)) = (&run.retry_of, detail.as_object_mut()) {
        told.insert("retry_of".into(), json!(retry_of));
    }
    seal(run, EventKind::Started, detail)
}

fn permit(run: &Run, by: &str, step: &Step, now: Timestamp) -> Result<(), IllegalTransition> {
    use IllegalTransition::{AlreadyRequested, Begun, Cancelled, Ended, FallingBack, Held, NotHeld, Stale};
    let holder = match &run.progress {
        Progress::Ended { .. } => return Err(Ended),
        Progress::Ready { .. } => None,
        Progress::Leased { lease } => Some(lease),
    };
    match step {
        Step::Claim { seq, .. } if *seq != run.seq => Err(Stale),
        Step::Claim { .. } => match holder {
            Some(lease) if lease.expires_at > now => Err(Held),
            _ => Ok(()),
        },
        Step::RequestCancel { .. } if run.fallback.is_some() => Err(FallingBack),
        Step::RequestCancel { .. } if run.cancel.is_some() => Err(AlreadyRequested),
        Step::RequestCancel { .. } | Step::Signal { .. } => Ok(()),
        Step::Abort { .. } => match run.progress {
            Progress::Ready { wake: Wake::Started, .. } => Ok(()),
            _ => Err(Begun),
        },
        _ if holder.is_none_or(|lease| lease.owner != by) => Err(NotHeld),
        Step::Next { .. } | Step::Wait { .. } | Step::Retry { .. } if run.cancel_pending().is_some() => Err(Cancelled),
        Step::FallBack { .. } if run.fallback.is_some() => Err(FallingBack),
        _ => Ok(()),
    }
}

/// A run that is to stop has nothing more to hear.
fn is_unheard(run: &Run, heeds: &[&str]) -> bool {
    run.signalled && run.cancel_pending().is_none() && heeds.iter().any(|name| run.signals.contains_key(*name))
}

fn save(run: &mut Run, work: Work) {
    run.state = work.state;
    run.logs = work.logs;
}

fn ready(run: &mut Run, wake_at: Timestamp, wake: Wake) {
    run.seq += 1;
    run.claims = 0;
    run.progress = Progress::Ready { wake_at, wake };
}

fn enter(run: &mut Run, phase: String, deadline_at: Timestamp, now: Timestamp) {
    ready(run, now, Wake::Entered);
    run.attempt = 1;
    run.phase = phase;
    run.phase_entered_at = now;
    run.deadline_at = deadline_at;
}

fn end(run: &mut Run, end: End, at: Timestamp) {
    run.seq += 1;
    run.claims = 0;
    run.progress = Progress::Ended { end, at };
}

fn seal(run: &mut Run, kind: EventKind, detail: Value) -> Event {
    let event = Event {
        run: run.id.clone(),
        number: run.events + 1,
        at: run.updated_at,
        kind,
        phase: run.phase.clone(),
        seq: run.seq,
        attempt: run.attempt,
        detail,
        previous: run.last_hash.clone(),
        hash: String::new(),
    }
    .sealed();
    run.events = event.number;
    run.last_hash.clone_from(&event.hash);
    event
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
