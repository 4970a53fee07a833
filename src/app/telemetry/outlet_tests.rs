use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
use opentelemetry_sdk::Resource;

use super::*;
use crate::app::telemetry::backlog::BATCH;
use crate::engine::{Observation, Observer};

const BOUND: Duration = Duration::from_millis(500);
const SECOND: Duration = Duration::from_secs(1);

/// Takes what comes, unless it was told otherwise.
#[derive(Default)]
struct Fake {
    answers: Mutex<VecDeque<Sent>>,
    /// How long it takes for an answer.
    pause: Mutex<Duration>,
    asked: AtomicU64,
    spans: AtomicU64,
    points: AtomicU64,
}

impl Fake {
    async fn answer(&self) -> Sent {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let pause = *lock(&self.pause);
        tokio::time::sleep(pause).await;
        lock(&self.answers).pop_front().unwrap_or(Sent::Taken { refused: 0 })
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Destination for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn spans(&self, batch: Vec<SpanData>) -> Sent {
        let sent = self.answer().await;
        if matches!(sent, Sent::Taken { .. }) {
            self.spans.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        sent
    }

    async fn lines(&self, _: &[SdkLogRecord]) -> Sent {
        self.answer().await
    }

    async fn metrics(&self, metrics: &ResourceMetrics) -> Sent {
        let sent = self.answer().await;
        if matches!(sent, Sent::Taken { .. }) {
            self.points.fetch_add(points(metrics), Ordering::Relaxed);
        }
        sent
    }
}

struct Rig {
    fake: Arc<Fake>,
    outlet: Arc<Outlet>,
    meters: Arc<Meters>,
    dropped: Dropped,
}

impl Rig {
    fn new() -> Self {
        let (fake, dropped, reader) = (Arc::<Fake>::default(), Dropped::default(), Reader::new());
        let resource = Resource::builder_empty().build();
        let meters = Arc::new(Meters::new(resource, std::slice::from_ref(&reader), dropped.clone()));
        let outlet = Outlet::new(Arc::clone(&fake) as _, reader, Arc::clone(&meters), dropped.clone(), BOUND);
        Self { fake, outlet: Arc::new(outlet), meters, dropped }
    }

    fn answers(self, answers: impl IntoIterator<Item = Sent>) -> Self {
        lock(&self.fake.answers).extend(answers);
        self
    }

    fn push(&self, spans: usize) {
        (0..spans).for_each(|_| self.outlet.push_span(span()));
    }

    /// One invocation with one span; how long it waited.
    async fn invoke(&self) -> Duration {
        self.push(1);
        let begun = Instant::now();
        self.outlet.flush().await;
        begun.elapsed()
    }

    fn arrived(&self) -> u64 {
        self.fake.spans.load(Ordering::Relaxed)
    }
}

fn span() -> SpanData {
    SpanData {
        span_context: SpanContext::empty_context(),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Consumer,
        name: "x".into(),
        start_time: std::time::SystemTime::UNIX_EPOCH,
        end_time: std::time::SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        status: Status::Unset,
        instrumentation_scope: super::super::scope(),
    }
}

fn later(after: Option<Duration>) -> Sent {
    Sent::Later { why: "it is busy".into(), after }
}

#[tokio::test(start_paused = true)]
async fn everything_has_arrived_when_a_flush_is_over() {
    let rig = Rig::new();
    rig.push(BATCH + 1);
    rig.outlet.flush().await;
    assert_eq!((rig.arrived(), rig.fake.asked()), (BATCH as u64 + 1, 2));
    rig.outlet.flush().await;
    assert_eq!(rig.fake.asked(), 2, "nothing is nothing to send");
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_waited_for_once_and_for_the_bound() {
    let rig = Rig::new();
    *lock(&rig.fake.pause) = 60 * SECOND;
    assert_eq!(rig.invoke().await, BOUND);
    for _ in 0..10 {
        assert_eq!(rig.invoke().await, Duration::ZERO);
    }
    assert_eq!(rig.fake.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_slow_gets_it_all_and_is_waited_for_again_once_it_is_quick() {
    let rig = Rig::new();
    rig.outlet.tend();
    *lock(&rig.fake.pause) = 2 * BOUND;
    assert_eq!(rig.invoke().await, BOUND);
    assert_eq!(rig.invoke().await, Duration::ZERO);
    tokio::time::sleep(3 * TICK).await;
    assert_eq!(rig.arrived(), 2);
    *lock(&rig.fake.pause) = BOUND / 2;
    rig.push(1);
    tokio::time::sleep(2 * TICK).await;
    assert_eq!(rig.arrived(), 3);
    assert_eq!(rig.invoke().await, BOUND / 2);
    assert_eq!((rig.arrived(), rig.dropped.total()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn what_refuses_is_left_alone_for_as_long_as_it_asks_for_and_then_gets_everything() {
    let rig = Rig::new().answers([later(Some(60 * SECOND))]);
    rig.outlet.tend();
    rig.invoke().await;
    for _ in 0..20 {
        assert_eq!(rig.invoke().await, Duration::ZERO);
    }
    tokio::time::sleep(55 * SECOND).await;
    assert_eq!(rig.fake.asked(), 1);
    tokio::time::sleep(2 * TICK).await;
    assert_eq!((rig.arrived(), rig.dropped.total()), (21, 0));
    rig.invoke().await;
    assert_eq!(rig.arrived(), 22, "invocations wait again");
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_by_nobody_is_dropped_beyond_the_bound_and_counted() {
    let rig = Rig::new().answers([later(None)]);
    rig.invoke().await;
    rig.push(CAPACITY + 5);
    assert_eq!(rig.dropped.counts(), [("traces", 6), ("logs", 0), ("metrics", 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_will_never_be_taken_is_dropped_at_once_and_counted() {
    let rig = Rig::new().answers([Sent::Refused("it is too large".into()), Sent::Taken { refused: 1 }]);
    rig.outlet.tend();
    rig.invoke().await;
    assert_eq!(rig.dropped.counts()[0], ("traces", 1));
    tokio::time::sleep(3 * TICK).await;
    // What told of the loss was the next to be sent, and not accepted either.
    assert_eq!(rig.dropped.counts(), [("traces", 1), ("logs", 0), ("metrics", 1)]);
}

#[tokio::test(start_paused = true)]
async fn who_refuses_one_kind_for_good_gets_the_others_in_time() {
    let rig = Rig::new();
    let retried = Observation::Retried { pipeline: "probe", phase: "build", code: "x" };
    for round in 1..=5 {
        lock(&rig.fake.answers).extend([Sent::Taken { refused: 0 }, Sent::Refused("no metrics here".into())]);
        rig.meters.observe(&retried);
        rig.invoke().await;
        assert_eq!(rig.arrived(), round);
    }
    assert!(rig.dropped.counts()[2].1 >= 5, "{:?}", rig.dropped.counts());
}

#[tokio::test(start_paused = true)]
async fn metrics_that_were_not_taken_are_sent_again_before_newer_ones() {
    let rig = Rig::new().answers([later(None)]);
    rig.outlet.tend();
    let retried = Observation::Retried { pipeline: "probe", phase: "build", code: "x" };
    rig.meters.observe(&retried);
    rig.outlet.flush().await;
    rig.meters.observe(&retried);
    assert_eq!(rig.fake.points.load(Ordering::Relaxed), 0);
    tokio::time::sleep(3 * TICK).await;
    assert_eq!(rig.fake.points.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn what_no_invocation_sends_is_sent_by_the_clock_and_a_crowd_does_not_wait_for_it() {
    let rig = Rig::new();
    rig.outlet.tend();
    rig.push(1);
    tokio::time::sleep(2 * TICK).await;
    assert_eq!(rig.arrived(), 1);
    rig.push(CAPACITY / 2);
    tokio::time::sleep(SECOND / 10).await;
    assert_eq!(rig.arrived(), CAPACITY as u64 / 2 + 1);
}
