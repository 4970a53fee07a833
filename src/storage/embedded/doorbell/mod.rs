//! Tells a listener at once that a message came, also from another process.
//!
//! A ring is a hint. It may be lost or come twice: a listener still looks by itself now and then, and asks
//! [`Embedded::next_visible`] when the next delayed message shows.

mod polling;
#[cfg(unix)]
mod ringer;
#[cfg(not(unix))]
mod silent;
#[cfg(unix)]
mod socket;

#[cfg(unix)]
pub(super) use ringer::Ringer;
#[cfg(not(unix))]
pub(super) use silent::Ringer;

use super::Embedded;
use crate::engine::ports::StoreError;

/// Rings with the name of a queue that a message was put into, or that has a visible message.
pub struct Doorbell(Kind);

enum Kind {
    #[cfg(unix)]
    Socket(socket::Listener),
    Polling(polling::Listener),
}

impl Doorbell {
    /// Must be called within a tokio runtime.
    pub(super) fn hang(store: &Embedded) -> Result<Self, StoreError> {
        #[cfg(unix)]
        return socket::Listener::bind(&store.0.directory).map(Kind::Socket).map(Self);
        #[cfg(not(unix))]
        return Ok(Self::polling(store));
    }

    /// A bell that needs no sockets: it looks into the queues fifty times a second.
    pub fn polling(store: &Embedded) -> Self {
        Self(Kind::Polling(polling::Listener::new(store.clone())))
    }

    /// Waits for a ring. May be given up and called again without losing one.
    pub async fn rung(&mut self) -> String {
        match &mut self.0 {
            #[cfg(unix)]
            Kind::Socket(listener) => listener.rung().await,
            Kind::Polling(listener) => listener.rung().await,
        }
    }
}
