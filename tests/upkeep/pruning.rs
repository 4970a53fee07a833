//! A run of retention from its timer to its end.

use serde_json::Value;
use windlass::engine::Engine;
use windlass::model::{End, Progress, Run, Scope, Verdict};

use crate::platform::Platform;

const MOST_DELIVERIES: usize = 50;

impl Platform {
    /// The hour's round.
    pub async fn hour(&self) {
        self.engine.tick("upgrade-retention").await.unwrap();
    }

    /// The newest run of retention.
    pub async fn retention(&self) -> Option<Run> {
        self.engine.latest_of(&Scope::new("platform"), &["retention"]).await.unwrap()
    }

    /// The hour's round, and the run that came of it, to its end.
    pub async fn prune(&self) -> Run {
        self.hour().await;
        let run = self.retention().await.expect("a run");
        self.finish(&self.engine, run).await
    }

    /// Delivers once, at its time.
    pub async fn deliver(&self, engine: &Engine, run: &Run) -> Run {
        let wake_at = run.next_wake_at().expect("it has not ended");
        self.clock.skip(wake_at.since(engine.now()));
        let queue = format!("{}-{}", run.pipeline, run.phase);
        engine.deliver(&queue, &run.ticket()).await.unwrap();
        // The queue may hand the same message over twice.
        engine.deliver(&queue, &run.ticket()).await.unwrap();
        engine.run(&run.id).await.unwrap().unwrap()
    }

    pub async fn finish(&self, engine: &Engine, mut run: Run) -> Run {
        for _ in 0..MOST_DELIVERIES {
            if run.is_ended() {
                return run;
            }
            run = self.deliver(engine, &run).await;
        }
        panic!("the run goes round in circles: {run:?}");
    }

    pub async fn log(&self, run: &Run) -> String {
        let log = self.engine.read_log(run, "retention", 0, u64::MAX).await.unwrap();
        String::from_utf8(log.to_vec()).unwrap()
    }
}

pub fn expect(run: &Run, verdict: Verdict) -> &Value {
    let ended = matches!(run.progress, Progress::Ended { end: End::Completed(told), .. } if told == verdict);
    assert!(ended, "{:?} {:?} {}", run.progress, run.failure, run.output);
    &run.output
}
