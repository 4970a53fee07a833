//! What the tests do to a world by hand: ask for runs, work one delivery at a time, look at what is there.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::engine::{Engine, Registry, StartError, StartRequest, Started, SweepReport};
use windlass::model::{Event, EventKind, Run, RunId, Scope};

use super::{Came, Chaos, Fault, Message, Mode, Operation, World, live};

/// A request for a run of `pipeline`, without a key.
pub fn request(pipeline: &'static str, scope: &str, input: Value) -> StartRequest {
    let scope = Scope::new(scope);
    StartRequest { pipeline, scope, input, started_by: "tester".into(), idempotency_key: None }
}

/// The same request, with a key.
pub fn with_key(key: &str, request: StartRequest) -> StartRequest {
    StartRequest { idempotency_key: Some(key.to_owned()), ..request }
}

impl World {
    /// Longer than any test's pipeline may take, so that even a run that nobody could move is over.
    pub const LONGEST: Duration = Duration::from_secs(6 * 3600);

    /// A world in which nothing goes wrong but what a test arms.
    pub fn of(registry: Registry) -> Self {
        Self::new(1, Chaos::none(), registry)
    }

    /// From now on, the next operation whose name starts with `operation` is struck.
    pub fn arm(&self, operation: &'static str, mode: Mode) {
        self.arm_nth(operation, 1, mode);
    }

    pub fn arm_nth(&self, operation: &'static str, nth: u32, mode: Mode) {
        self.chaos.lock().expect("never poisoned").arm(Fault { operation, nth, mode });
    }

    /// One request by a client that does not ask again; `None` if the handler died over it.
    pub async fn ask(&self, request: StartRequest) -> Option<Result<Started, StartError>> {
        live(self.engine("client").start(request)).await
    }

    /// Starts a run in a world that lets it.
    pub async fn start(&self, request: StartRequest) -> Run {
        self.ask(request).await.expect("the handler lives").expect("a run is started").run
    }

    /// Waits for the next message, and delivers it.
    pub async fn step(&self) -> Came {
        let message = self.next_message().await;
        self.deliver(&self.engine("worker"), &message).await
    }

    /// Delivers one message after the other until nothing is left to deliver. There is no sweep.
    pub async fn drain(&self) {
        while !self.messages().is_empty() {
            self.step().await;
        }
    }

    /// Lets the world go on by itself until everything has ended, and checks what must hold then.
    pub async fn settle(&self) {
        self.turn(Self::LONGEST).await;
        assert_eq!(self.verify(), Vec::<String>::new());
    }

    pub async fn sweep(&self) -> SweepReport {
        live(self.engine("sweep").sweep()).await.expect("the sweep lives").expect("the sweep comes round")
    }

    pub fn messages(&self) -> Vec<Message> {
        self.tables.lock().expect("never poisoned").messages.clone()
    }

    /// Every message is gone, as if it had expired.
    pub fn lose_messages(&self) {
        self.tables.lock().expect("never poisoned").messages.clear();
    }

    /// The tickets that were ever sent.
    pub fn sent(&self) -> u64 {
        self.tables.lock().expect("never poisoned").sent
    }

    pub fn lock_owner(&self, scope: &str) -> Option<String> {
        let key = (Scope::new(scope).tag().to_string(), "lock".to_owned());
        let tables = self.tables.lock().expect("never poisoned");
        Some(tables.rows.get(&key)?.record["owner"].as_str().expect("a lock has an owner").to_owned())
    }

    /// A document as it is stored.
    pub fn document(&self, scope: &str, name: &str) -> Option<Value> {
        let key = (Scope::new(scope).tag().to_string(), format!("doc:{name}"));
        self.tables.lock().expect("never poisoned").rows.get(&key).map(|row| row.record["value"].clone())
    }

    pub async fn history(&self, id: &RunId) -> Vec<Event> {
        self.engine("reader").history(id).await.expect("a history can be read")
    }

    pub async fn kinds(&self, id: &RunId) -> Vec<EventKind> {
        self.history(id).await.into_iter().map(|event| event.kind).collect()
    }

    pub fn trace(&self) -> Vec<Operation> {
        self.chaos.lock().expect("never poisoned").trace.clone()
    }

    /// How many operations there were whose name starts with `operation`.
    pub fn count(&self, operation: &str) -> usize {
        self.trace().iter().filter(|each| each.name.starts_with(operation)).count()
    }

    /// A delivery of a run's present ticket to one more worker, without any message.
    pub async fn deliver_again(&self, instance: &str, run: &Run) -> Came {
        let ticket = run.ticket();
        let queue = format!("{}-{}", run.pipeline, ticket.phase);
        let engine: Engine = self.engine(instance);
        match live(engine.deliver(&queue, &ticket)).await {
            Some(Ok(answer)) => Came::Acknowledged(answer),
            Some(Err(_)) => Came::Failed,
            None => Came::Died,
        }
    }
}

/// A drill for one phase of the probe.
pub fn drill(phase: &str, action: &str) -> Value {
    json!({"drill": {"phase": phase, "action": action, "seconds": 45}})
}
