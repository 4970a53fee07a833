//! A poison invocation: a message that was delivered too often, or that is no ticket at all.

use crate::engine::{Engine, Poisoned};

pub async fn receive(engine: &Engine, queue: &str, text: &str) -> Result<(), String> {
    match engine.poisoned(queue, text).await.map_err(|error| error.to_string())? {
        Poisoned::RunEnded => tracing::error!(queue, code = "poisoned", "a poison ticket ended its run"),
        Poisoned::FellBack => tracing::error!(queue, code = "poisoned", "a poison ticket made its run fall back"),
        Poisoned::Harmless => tracing::info!(queue, "a poison ticket came too late to matter"),
        Poisoned::Kept(name) => {
            tracing::error!(queue, kept_as = name, code = "not_a_ticket", "a message that is no ticket was kept");
        }
        Poisoned::Waits(name) => {
            let advice = "run the version that sent it; its run is not ended and goes on there";
            tracing::error!(
                queue,
                kept_as = name,
                code = "run_waits",
                advice,
                "a ticket that this version cannot work on was kept"
            );
        }
    }
    Ok(())
}
