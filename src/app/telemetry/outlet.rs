//! One destination with what waits for it. It never holds up more than one invocation for long, and loses no run: all
//! that can happen is that telemetry is dropped, and that is counted.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use opentelemetry_sdk::logs::SdkLogRecord;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::backlog::{Backlog, CAPACITY};
use super::circuit::{Circuit, Turned};
use super::destination::{Destination, Sent};
use super::dropped::{Dropped, Signal};
use super::metrics::Meters;
use super::reader::{Reader, points};

/// How long what no invocation sends waits for company.
const TICK: Duration = Duration::from_secs(5);

pub struct Outlet {
    destination: Arc<dyn Destination>,
    spans: Backlog<SpanData>,
    lines: Backlog<SdkLogRecord>,
    reader: Reader,
    meters: Arc<Meters>,
    /// Metrics that were collected and not taken; until they are, the instruments go on counting.
    unsent: Mutex<Option<ResourceMetrics>>,
    circuit: Mutex<Circuit>,
    /// Held by whoever sends.
    sending: tokio::sync::Mutex<()>,
    crowded: Notify,
    dropped: Dropped,
    /// Whether it was said that some of it is refused.
    partial: AtomicBool,
    bound: Duration,
}

/// Why something was not taken.
struct Trouble {
    why: String,
    after: Option<Duration>,
    /// Asking again does not help.
    for_good: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outlet {
    pub fn new(
        destination: Arc<dyn Destination>,
        reader: Reader,
        meters: Arc<Meters>,
        dropped: Dropped,
        bound: Duration,
    ) -> Self {
        Self {
            destination,
            spans: Backlog::default(),
            lines: Backlog::default(),
            reader,
            meters,
            unsent: Mutex::default(),
            circuit: Mutex::new(Circuit::new()),
            sending: tokio::sync::Mutex::default(),
            crowded: Notify::new(),
            dropped,
            partial: AtomicBool::new(false),
            bound,
        }
    }

    pub fn push_span(&self, span: SpanData) {
        self.dropped.add(Signal::Traces, self.spans.push(span));
        self.look(self.spans.len());
    }

    pub fn push_line(&self, line: SdkLogRecord) {
        self.dropped.add(Signal::Logs, self.lines.push(line));
        self.look(self.lines.len());
    }

    fn look(&self, waiting: usize) {
        if waiting >= CAPACITY / 2 {
            self.crowded.notify_one();
        }
    }

    /// Sends what no invocation sends, for as long as anybody else holds the outlet.
    pub fn tend(self: &Arc<Self>) {
        let outlet = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(outlet) = outlet.upgrade() {
                // An open circuit is not closed by being asked more often.
                let asked = outlet.circuit().sends(Instant::now());
                let crowded = async {
                    match asked {
                        true => outlet.crowded.notified().await,
                        false => std::future::pending().await,
                    }
                };
                let _ = tokio::time::timeout(TICK, crowded).await;
                outlet.send().await;
            }
        });
    }

    /// Sends all that there is, and waits for it no longer than the bound. What takes longer goes on by itself.
    pub async fn flush(self: &Arc<Self>) {
        if !self.circuit().waits() {
            return;
        }
        let outlet = Arc::clone(self);
        let work = tokio::spawn(async move { outlet.send().await });
        if tokio::time::timeout(self.bound, work).await.is_err() {
            let turned = self.circuit().overran();
            self.tell(turned, "");
        }
    }

    async fn send(&self) {
        let _one = self.sending.lock().await;
        if !self.circuit().sends(Instant::now()) {
            return;
        }
        let begun = Instant::now();
        let results = tokio::join!(self.send_spans(), self.send_lines(), self.send_metrics());
        let results = [results.0, results.1, results.2];
        let sent = results.iter().any(|result| matches!(result, Ok(true)));
        let (refused, failed): (Vec<_>, Vec<_>) =
            results.into_iter().filter_map(Result::err).partition(|trouble| trouble.for_good);
        // Who takes one kind and refuses another is there all the same: what is taken goes on in time.
        if sent && !refused.is_empty() && !self.partial.swap(true, Ordering::Relaxed) {
            let (destination, why) = (self.destination.name(), refused.first().map(|trouble| trouble.why.as_str()));
            tracing::warn!(destination, why, code = "telemetry_partial", "not every kind of telemetry is taken");
        }
        let turned = match failed.into_iter().chain(refused.into_iter().filter(|_| !sent)).next() {
            Some(trouble) => {
                let turned = self.circuit().failed(Instant::now(), trouble.after);
                return self.tell(turned, &trouble.why);
            }
            None if sent => self.circuit().taken(begun.elapsed() <= self.bound),
            None => None,
        };
        self.tell(turned, "");
    }

    async fn send_spans(&self) -> Result<bool, Trouble> {
        let mut sent = false;
        loop {
            let batch = self.spans.take();
            if batch.is_empty() {
                return Ok(sent);
            }
            let (count, answer) = (batch.len() as u64, caught(self.destination.spans(batch.clone())).await);
            self.judge(Signal::Traces, count, answer, || self.spans.put_back(batch))?;
            sent = true;
        }
    }

    async fn send_lines(&self) -> Result<bool, Trouble> {
        let mut sent = false;
        loop {
            let batch = self.lines.take();
            if batch.is_empty() {
                return Ok(sent);
            }
            let (count, answer) = (batch.len() as u64, caught(self.destination.lines(&batch)).await);
            self.judge(Signal::Logs, count, answer, || self.lines.put_back(batch))?;
            sent = true;
        }
    }

    async fn send_metrics(&self) -> Result<bool, Trouble> {
        let mut sent = false;
        loop {
            let unsent = lock(&self.unsent).take();
            let again = unsent.is_some();
            let Some(metrics) = unsent.or_else(|| self.collect()) else { return Ok(sent) };
            let (count, answer) = (points(&metrics), caught(self.destination.metrics(&metrics)).await);
            let keep = || {
                *lock(&self.unsent) = Some(metrics);
                0
            };
            self.judge(Signal::Metrics, count, answer, keep)?;
            sent = true;
            if !again {
                return Ok(sent);
            }
        }
    }

    fn collect(&self) -> Option<ResourceMetrics> {
        self.meters.sample();
        self.reader.collect()
    }

    fn judge(&self, signal: Signal, count: u64, answer: Sent, keep: impl FnOnce() -> u64) -> Result<(), Trouble> {
        match answer {
            Sent::Taken { refused } => {
                self.dropped.add(signal, refused);
                Ok(())
            }
            Sent::Refused(why) => {
                self.dropped.add(signal, count);
                Err(Trouble { why, after: None, for_good: true })
            }
            Sent::Later { why, after } => {
                self.dropped.add(signal, keep());
                Err(Trouble { why, after, for_good: false })
            }
        }
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        lock(&self.circuit)
    }

    /// Says once what has changed, and what was lost so far; never anything for a single item.
    fn tell(&self, turned: Option<Turned>, why: &str) {
        let (destination, dropped) = (self.destination.name(), self.dropped.total());
        match turned {
            None => {}
            Some(Turned::Slow) => {
                let ms = self.bound.as_millis();
                tracing::warn!(
                    destination,
                    ms,
                    dropped,
                    code = "telemetry_slow",
                    "telemetry is taken too slowly: it is sent on, but nobody waits for it"
                );
            }
            Some(Turned::Open { pause }) => {
                let pause_s = pause.as_secs();
                tracing::warn!(
                    destination,
                    why,
                    pause_s,
                    dropped,
                    code = "telemetry_refused",
                    "telemetry is not taken: it is kept up to a bound and sent later; runs go on"
                );
            }
            Some(Turned::Back) => tracing::info!(destination, dropped, "telemetry is taken again"),
        }
    }
}

/// What cannot be written must not end the one who writes: the next batch may be another matter.
async fn caught(sending: impl Future<Output = Sent>) -> Sent {
    let sent = AssertUnwindSafe(sending).catch_unwind().await;
    sent.unwrap_or_else(|_| Sent::Refused("it could not be written".to_owned()))
}

#[cfg(test)]
#[path = "outlet_tests.rs"]
mod tests;
