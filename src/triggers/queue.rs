//! A queue-triggered invocation: one delivery of a ticket.

use crate::engine::{Acknowledged, Engine};
use crate::model::{Misread, Ticket, redact};

/// Characters of a stranger's text that a log line repeats.
const SHOWN: usize = 64;

/// `Ok` lets the host delete the message, `Err` brings it back.
pub async fn deliver(engine: &Engine, queue: &str, text: &str) -> Result<(), String> {
    let ticket = match Ticket::read(text) {
        Ok(ticket) => ticket,
        Err(Misread::Newer { run, schema }) => {
            let acknowledged = engine.postpone(queue, &run, text).await.map_err(|error| error.to_string())?;
            tracing::debug!(%run, schema, queue, ?acknowledged, "a ticket of a later version came");
            return Ok(());
        }
        // Delivering it again would not turn it into a ticket: it is kept for a person at once.
        Err(Misread::NoTicket) => return super::poison::receive(engine, queue, text).await,
    };
    let acknowledged = engine.deliver(queue, &ticket).await.map_err(|error| error.to_string())?;
    match acknowledged {
        Acknowledged::Unknown => {
            let (phase, code) = (shown(&ticket.phase), "unknown_ticket");
            tracing::warn!(run = %ticket.run, phase, queue, code, "a ticket names no run that waits for it");
        }
        _ => tracing::debug!(run = %ticket.run, phase = ticket.phase, seq = ticket.seq, ?acknowledged, "delivered"),
    }
    Ok(())
}

/// A phase as a ticket names it that nobody has sent.
fn shown(phase: &str) -> String {
    redact(phase).chars().take(SHOWN).collect()
}
