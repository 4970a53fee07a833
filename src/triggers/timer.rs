//! A timer invocation: the sweep, or a timer of a pipeline.

use crate::engine::Engine;

pub async fn sweep(engine: &Engine) -> Result<(), String> {
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

pub async fn tick(engine: &Engine, name: &str) -> Result<(), String> {
    engine.tick(name).await.map_err(|failure| failure.to_string())
}
