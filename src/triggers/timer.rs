//! A timer invocation: the sweep, or a timer of a pipeline.

use futures::TryFutureExt;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

use super::trace::Place;
use crate::engine::{self, Engine};

pub(super) async fn sweep(engine: &Engine, place: Place) -> Result<(), String> {
    let (traceparent, own) = (place.below, place.id());
    let span = tracing::info_span!("sweep", %traceparent, span = %own, error = Empty);
    engine::traced(place.own, round(engine)).inspect_err(failed).instrument(span).await
}

async fn round(engine: &Engine) -> Result<(), String> {
    let report = engine.sweep().await.map_err(|error| error.to_string())?;
    for breach in &report.breaches {
        tracing::error!(run = %breach.run, what = breach.what, code = "invariant_broken", "a promise is not kept");
    }
    let (seen, resent, retired, failed) = (report.seen, report.resent, report.retired, report.failed);
    let (closed, unreadable) = (report.closed, report.unreadable);
    if resent + failed + closed + unreadable > 0 {
        tracing::warn!(seen, resent, retired, failed, closed, unreadable, "swept");
    } else {
        tracing::info!(seen, resent, retired, failed, closed, unreadable, "swept");
    }
    Ok(())
}

pub(super) async fn tick(engine: &Engine, name: &str, place: Place) -> Result<(), String> {
    let (traceparent, own) = (place.below, place.id());
    let span = tracing::info_span!("timer", timer = name, %traceparent, span = %own, error = Empty);
    let work = async { engine.tick(name).await.map_err(|failure| failure.to_string()) };
    engine::traced(place.own, work).inspect_err(failed).instrument(span).await
}

fn failed(reason: &String) {
    Span::current().record("error", display(reason));
}
