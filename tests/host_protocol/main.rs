//! The local Functions host against captures of the real one: what a client sends, what the handler gets, what the client
//! gets; what a queue holds, what is invoked, what becomes of the answer.
#![cfg(feature = "dev")]

mod captured;
mod forwarded;
mod handler;
mod lifecycle;
mod proxied;
mod queues;
mod rig;
mod settings;
mod store;
mod timers;
mod unforwarded;

/// Not a test of its own: the host starts this binary again, with this name as its argument, as the handler.
#[test]
fn handler_process() {
    if let Ok(control) = std::env::var(handler::CONTROL) {
        handler::run(&control);
    }
}
