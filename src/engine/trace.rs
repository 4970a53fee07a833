//! Where the engine's work belongs in a trace: a run is one trace, whoever works on it and however often.

use super::Engine;
use crate::model::Traceparent;

tokio::task_local! {
    static PARENT: Traceparent;
}

/// Does `work` as a part of the span `parent`: a run that is started in it belongs below.
pub async fn traced<F: Future>(parent: Traceparent, work: F) -> F::Output {
    PARENT.scope(parent, work).await
}

impl Engine {
    /// What a run that starts here belongs below: the span that the caller is in, or one of its own.
    pub(super) fn traceparent(&self) -> Traceparent {
        PARENT.try_with(|parent| *parent).unwrap_or_else(|_| {
            let (high, low) = (self.clock.random(), self.clock.random());
            Traceparent::new((u128::from(high) << 64) | u128::from(low), self.clock.random())
        })
    }
}
