//! The handler as those see it who want something of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::child::{ChildSettings, Keeper};
use super::endpoint::Endpoint;
use super::voice::Voice;

#[derive(Clone)]
pub enum State {
    Starting,
    Ready(Arc<Endpoint>),
    /// There will be no handler any more.
    Gone,
}

/// How the process's story ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildEnd {
    /// It was told to end.
    Stopped,
    /// It crashed too often.
    Crashed,
}

pub enum Order {
    /// Kill this life of the process after a while.
    Kill {
        endpoint: Arc<Endpoint>,
        after: Duration,
    },
    Stop,
}

/// The handler as those see it who want something of it.
#[derive(Clone)]
pub struct Handler {
    state: watch::Receiver<State>,
    orders: mpsc::Sender<Order>,
    end: watch::Receiver<Option<ChildEnd>>,
    pid: Arc<AtomicU32>,
}

impl Handler {
    pub fn start(settings: ChildSettings, voice: Voice) -> Self {
        let (state, watched) = watch::channel(State::Starting);
        let (orders, received) = mpsc::channel(16);
        let (ended, end) = watch::channel(None);
        let pid = Arc::new(AtomicU32::new(0));
        let keeper = Keeper::new(settings, voice, state, received, Arc::clone(&pid));
        tokio::spawn(async move {
            let end = keeper.keep().await;
            let _ = ended.send(Some(end));
        });
        Self { state: watched, orders, end, pid }
    }

    /// The handler once it answers; none if it never will again.
    pub async fn ready(&self) -> Option<Arc<Endpoint>> {
        if let State::Ready(endpoint) = &*self.state.borrow() {
            return Some(Arc::clone(endpoint));
        }
        let mut state = self.state.clone();
        match &*state.wait_for(|state| !matches!(state, State::Starting)).await.ok()? {
            State::Ready(endpoint) => Some(Arc::clone(endpoint)),
            _ => None,
        }
    }

    /// Kills the process that serves `endpoint`, unless it is another one by then.
    pub async fn kill(&self, endpoint: Arc<Endpoint>, after: Duration) {
        let _ = self.orders.send(Order::Kill { endpoint, after }).await;
    }

    /// Kills the process for good and waits for its end.
    pub async fn stop(&self) {
        let _ = self.orders.send(Order::Stop).await;
        self.ended().await;
    }

    pub async fn ended(&self) -> ChildEnd {
        let mut end = self.end.clone();
        let end = end.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        end.unwrap_or(ChildEnd::Stopped)
    }

    pub fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Acquire)).filter(|pid| *pid != 0)
    }
}
