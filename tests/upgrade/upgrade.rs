//! An upgrade that was asked for: `platform.start("1.2.3").await.drain().await.expect_succeeded()`.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::engine::ports::Clock;
use windlass::engine::{Acknowledged, StartRequest};
use windlass::model::{End, Event, Failure, Progress, Run, RunId, Ticket, Verdict, redact};
use windlass::pipelines::upgrade::{ROLLBACK, SPEC, UpgradeState, build_log, scope};

use crate::gate::files_below;
use crate::platform::Platform;

/// The queue of every phase.
fn queues() -> impl Iterator<Item = String> {
    [&SPEC, &ROLLBACK].into_iter().flat_map(|spec| spec.phases.iter().map(|phase| spec.queue(phase.name)))
}
const HIDDEN: Duration = Duration::from_secs(600);
/// More than any upgrade needs, so that one that goes round in circles ends.
const MOST_DELIVERIES: usize = 500;

pub struct Upgrade<'a> {
    pub platform: &'a Platform,
    pub id: RunId,
    /// What was to be seen after each delivery.
    pub seen: Vec<Run>,
}

impl Platform {
    pub async fn start(&self, version: &str) -> Upgrade<'_> {
        self.start_with(json!({"target_version": version})).await
    }

    pub async fn start_with(&self, input: Value) -> Upgrade<'_> {
        let started_by = "tester".to_owned();
        let request = StartRequest { pipeline: "upgrade", scope: scope(), input, started_by, idempotency_key: None };
        let id = self.engine.start(request).await.expect("the platform is free").run.id;
        Upgrade { platform: self, id, seen: Vec::new() }
    }

    /// A rollback by call, of the upgrade with this id.
    pub async fn roll_back(&self, job: &RunId) -> Upgrade<'_> {
        let started_by = "tester".to_owned();
        let input = json!({"job_id": job, "reason": "it is not what we wanted"});
        let request = StartRequest { pipeline: "rollback", scope: scope(), input, started_by, idempotency_key: None };
        let id = self.engine.start(request).await.expect("the platform is free").run.id;
        Upgrade { platform: self, id, seen: Vec::new() }
    }

    /// Delivers the next ticket of any run.
    pub async fn deliver(&self) -> Option<Acknowledged> {
        for queue in queues() {
            let queue = queue.as_str();
            let received = self.tickets.store.receive_messages(queue, 1, HIDDEN).await.expect("storage answers");
            let Some(message) = received.into_iter().next() else { continue };
            self.skip(self.tickets.due(&message.text).since(self.clock.now()));
            let ticket: Ticket = serde_json::from_str(&message.text).expect("a ticket");
            let answer = self.engine.deliver(queue, &ticket).await.expect("storage answers");
            let deleted = self.tickets.store.delete_message(queue, &message.id, &message.pop_receipt).await;
            assert_eq!(deleted, Ok(true));
            return Some(answer);
        }
        None
    }
}

impl Upgrade<'_> {
    pub async fn run(&self) -> Run {
        self.platform.engine.run(&self.id).await.expect("storage answers").expect("the run is stored")
    }

    pub async fn history(&self) -> Vec<Event> {
        self.platform.engine.history(&self.id).await.expect("storage answers")
    }

    pub async fn cancel(&self) {
        self.platform.engine.cancel(&self.id, "tester", "a change of mind").await.expect("the run can be told");
    }

    /// Delivers the next ticket at the time at which it is due; `None` if there is none.
    pub async fn deliver(&mut self) -> Option<Acknowledged> {
        let answer = self.platform.deliver().await?;
        self.seen.push(self.run().await);
        Some(answer)
    }

    /// Delivers until the run is as it should be.
    pub async fn until(&mut self, reached: impl Fn(&Run) -> bool) {
        while !reached(&self.run().await) {
            assert!(self.seen.len() < MOST_DELIVERIES, "the run goes round in circles");
            self.deliver().await.expect("the run is not there yet and nothing moves it");
        }
    }

    /// Delivers until every build is scheduled and was looked at once.
    pub async fn until_scheduled(&mut self) {
        self.until(|run| run.phase == "building").await;
        self.deliver().await;
    }

    /// Delivers until something of each build is in its log.
    pub async fn until_all_builds_run(&mut self) {
        self.until(|run| {
            let builds = state(run).builds;
            !builds.is_empty() && builds.values().all(|build| build.log_bytes > 0)
        })
        .await;
    }

    /// Delivers until nothing is left to deliver. However it ended, an upgrade leaves nothing behind.
    pub async fn drain(mut self) -> Ended {
        while self.deliver().await.is_some() {
            assert!(self.seen.len() < MOST_DELIVERIES, "the run goes round in circles");
        }
        let run = self.run().await;
        assert!(run.is_ended(), "the run is left as {:?}", run.progress);
        self.expect_nothing_left(&run).await;
        let mut ended =
            Ended { state: state(&run), history: self.history().await, seen: self.seen, logs: Vec::new(), run };
        for name in ended.run.logs.keys() {
            let log = self.platform.engine.read_log(&ended.run, name, 0, u64::MAX).await.expect("storage answers");
            ended.logs.push((name.clone(), String::from_utf8(log.to_vec()).expect("a log is text")));
        }
        ended
    }

    async fn expect_nothing_left(&self, run: &Run) {
        let platform = self.platform;
        assert_eq!(files_below(&platform.workspaces()), Vec::<std::path::PathBuf>::new());
        let directories = std::fs::read_dir(platform.workspaces()).map_or(0, Iterator::count);
        assert_eq!(directories, 0, "the workspace of the run is still there");
        // Whoever wants the platform now can have it.
        let next = platform.start("0.0.1").await;
        next.cancel().await;
        while platform.deliver().await.is_some() {}
        assert!(next.run().await.is_ended());
        // A build that was told to stop does so with its next step.
        platform.azure.skip(Duration::from_secs(5));
        let running: Vec<_> = platform.azure.runs().into_iter().filter(|build| is_live(build.status)).collect();
        let known: Vec<_> = state(run).builds.into_values().filter_map(|build| build.run_id).collect();
        let ours: Vec<_> = running.iter().filter(|build| known.contains(&build.run_id)).collect();
        assert!(ours.is_empty(), "builds go on after the run's end: {ours:?}");
    }
}

pub fn is_live(status: &str) -> bool {
    matches!(status, "Queued" | "Started" | "Running")
}

pub fn state(run: &Run) -> UpgradeState {
    if run.state.is_null() {
        return UpgradeState::default();
    }
    serde_json::from_value(run.state.clone()).expect("the upgrade's own state")
}

/// An upgrade that is over.
#[derive(Debug)]
pub struct Ended {
    pub run: Run,
    pub state: UpgradeState,
    pub history: Vec<Event>,
    pub seen: Vec<Run>,
    logs: Vec<(String, String)>,
}

impl Ended {
    pub fn expect_succeeded(&self) -> &Self {
        let succeeded = matches!(self.run.progress, Progress::Ended { end: End::Completed(Verdict::Succeeded), .. });
        assert!(succeeded, "{:?}: {:?}; tried again over {:?}", self.run.progress, self.run.failure, self.retried());
        self
    }

    /// The cause of a failure with this code.
    pub fn expect_failed(&self, code: &str) -> &Failure {
        assert!(matches!(self.run.progress, Progress::Ended { end: End::Failed, .. }), "{:?}", self.run.progress);
        let failure = self.run.failure.as_ref().expect("a failed run has a cause");
        assert_eq!(failure.code, code, "{failure}");
        failure
    }

    pub fn expect_terminated(&self) -> &Self {
        assert!(matches!(self.run.progress, Progress::Ended { end: End::Terminated, .. }), "{:?}", self.run.progress);
        self
    }

    pub fn log(&self, name: &str) -> &str {
        self.logs.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text)
    }

    /// The codes of the causes for which something was tried again.
    pub fn retried(&self) -> Vec<&str> {
        self.history.iter().filter_map(|event| event.detail["cause"]["code"].as_str()).collect()
    }

    /// Every component's log is what its builder said: nothing lost, nothing doubled, line ends and secrets aside.
    pub async fn expect_whole_logs(&self, platform: &Platform) -> &Self {
        assert!(!self.state.builds.is_empty());
        for (name, build) in &self.state.builds {
            let output = platform.output(build.run_id.as_deref().expect("it was built")).await;
            let said: String = output.lines().map(|line| redact(line) + "\n").collect();
            assert_eq!(self.log(&build_log(name)), said, "the log of {name}");
            assert!(!said.is_empty());
        }
        self
    }
}
