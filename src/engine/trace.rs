//! Where the engine's work belongs in a trace: a run is one trace, whoever works on it and however often.
//!
//! A span's fields are said in the log beside each line, so they are few and short.

use tracing::Span;
use tracing::field::Empty;

use super::deliver::{Acknowledged, DeliveryError};
use crate::model::{Run, RunId, Ticket, Traceparent};

tokio::task_local! {
    static PARENT: Traceparent;
}

/// Does `work` as a part of the span `parent`: a run that is started in it belongs below.
pub async fn traced<F: Future>(parent: Traceparent, work: F) -> F::Output {
    PARENT.scope(parent, work).await
}

/// What a run that is started here belongs below: the span that the caller is in, or one that follows from its id.
pub(super) fn place(id: &RunId) -> Traceparent {
    PARENT.try_with(|parent| *parent).unwrap_or_else(|_| Traceparent::of_run(id))
}

/// The span of one delivery.
pub(super) fn delivery(ticket: &Ticket) -> Span {
    let (seq, phase) = (ticket.seq, Empty);
    tracing::info_span!(
        "delivery", run = %ticket.run, seq, phase, pipeline = Empty, attempt = Empty, traceparent = Empty, answer = Empty,
        error = Empty
    )
}

/// Tells the span of a delivery whose it is. A ticket's own words are not taken for it: anybody may have written them.
pub(super) fn found(run: &Run) {
    let span = Span::current();
    span.record("pipeline", &run.pipeline);
    span.record("phase", &run.phase);
    // A row that is older than this field has none.
    let traceparent = run.traceparent.unwrap_or_else(|| Traceparent::of_run(&run.id));
    span.record("traceparent", tracing::field::display(traceparent));
}

pub(super) fn claimed(run: &Run) {
    Span::current().record("attempt", run.attempt);
}

/// What was committed, or why nothing was.
pub(super) fn answered(answer: &str) {
    Span::current().record("answer", answer);
}

pub(super) fn failed(error: &DeliveryError) {
    Span::current().record("error", tracing::field::display(error));
}

/// The span that the caller is in has started a run, or found the one that it started before.
pub(super) fn started(run: &Run) {
    Span::current().record("run", tracing::field::display(&run.id));
}

/// A delivery that came to nothing. One that worked has said itself what was committed.
pub(super) fn passed_over(acknowledged: Acknowledged) {
    answered(match acknowledged {
        Acknowledged::Worked => return,
        Acknowledged::Busy => "held",
        Acknowledged::Early => "early",
        Acknowledged::Unknown => "unknown",
        Acknowledged::SentBack => "unknown_phase",
        Acknowledged::Stale | Acknowledged::Ended => "stale",
    });
}
