//! The API as a caller meets it, with a hand on the workers, the storage and what an upgrade does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower::ServiceExt;
use windlass::config::{AuthConfig, EasyAuthConfig};
use windlass::engine::context::PhaseContext;
use windlass::engine::ports::Clock;
use windlass::engine::{Engine, Outcome, Phase, PhaseError, PhaseSpec, Pipeline, PipelineSpec, Registry, ResumeFn};
use windlass::http::auth::Authenticator;
use windlass::http::{Check, HttpState, Readiness, UpgradeHttp, router};
use windlass::model::{Failure, RetryPolicy, Run, Scope, Timestamp, Verdict};
use windlass::pipelines::probe;

use crate::platform::{COMPONENTS, Outside};
use crate::support::world::{Chaos, Fault, Mode, World};

/// A caller: object id and role.
pub type Who = (&'static str, &'static str);

pub const ADA: Who = ("aaaaaaaa-0000-0000-0000-000000000001", "Reader");
pub const BEN: Who = ("bbbbbbbb-0000-0000-0000-000000000002", "Reader");
/// An admin by role, in another case.
pub const ADMIN: Who = ("cccccccc-0000-0000-0000-000000000003", "upgradeADMIN");
/// An admin by the list of object ids.
pub const LISTED: Who = ("dddddddd-0000-0000-0000-000000000004", "Reader");

const fn phase(name: &'static str) -> PhaseSpec {
    PhaseSpec {
        name,
        deadline: Duration::from_secs(3600),
        delivery: Duration::from_secs(60),
        retry: RetryPolicy { attempts: 2, ..RetryPolicy::DEFAULT },
        waits_for_people: false,
    }
}

const UPGRADE: PipelineSpec = PipelineSpec {
    name: "upgrade",
    phases: &[
        phase("fetching"),
        phase("building"),
        phase("approving"),
        phase("patching"),
        phase("rolling-out"),
        phase("validating"),
        phase("confirming"),
        phase(BACK),
    ],
    queued: Duration::from_secs(7200),
    budget: Duration::from_secs(7200),
    logs: "upgrade-logs",
    timers: &[],
};

const ROLLBACK: PipelineSpec = PipelineSpec { name: "rollback", phases: &[phase(BACK)], ..UPGRADE };

const RETENTION: PipelineSpec = PipelineSpec { name: "retention", phases: &[phase("pruning")], ..UPGRADE };

const BACK: &str = "rolling-back";

/// What one delivery of an upgrade does.
pub struct Act {
    pub state: Value,
    pub lines: Vec<(&'static str, String)>,
    pub answer: Result<Outcome, PhaseError>,
}

impl Act {
    pub fn next(state: Value) -> Self {
        Self { state, lines: Vec::new(), answer: Ok(Outcome::Next) }
    }

    pub fn enter(phase: &'static str, state: Value) -> Self {
        Self { state, lines: Vec::new(), answer: Ok(Outcome::Enter(phase)) }
    }

    /// A minute's wait.
    pub fn wait(state: Value) -> Self {
        let answer = Outcome::Wait { after: Duration::from_secs(60), reason: "builds are running".into() };
        Self { state, lines: Vec::new(), answer: Ok(answer) }
    }

    pub fn done(verdict: Verdict, output: Value) -> Self {
        Self { state: json!({}), lines: Vec::new(), answer: Ok(Outcome::Done { verdict, output }) }
    }

    pub fn fatal(code: &str, message: &str) -> Self {
        Self { state: json!({}), lines: Vec::new(), answer: Err(PhaseError::fatal(code, message)) }
    }

    pub fn saying(mut self, log: &'static str, line: impl Into<String>) -> Self {
        self.lines.push((log, line.into()));
        self
    }
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<Act>>>);

#[async_trait]
impl Phase for Script {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let act = self.0.lock().unwrap().pop_front().expect("the script goes on");
        ctx.set_state(&act.state)?;
        for (log, line) in act.lines {
            ctx.log(log, &line);
        }
        act.answer
    }

    /// What has a state that says so goes back.
    fn fallback(&self, ctx: &PhaseContext, _: &Failure) -> Option<&'static str> {
        let state: Value = ctx.state().ok()?;
        (state["goes_back"] == true).then_some(BACK)
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000)
    }

    fn random(&self) -> u64 {
        4
    }
}

/// Ready unless told otherwise.
#[derive(Default)]
pub struct Health {
    pub fault: Mutex<Option<String>>,
    pub hangs: Mutex<bool>,
}

#[async_trait]
impl Readiness for Health {
    async fn checks(&self) -> Vec<Check> {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        let fault = self.fault.lock().unwrap().clone();
        vec![Check { name: "queue", fault: None }, Check { name: "storage", fault }]
    }
}

pub struct Api {
    pub world: World,
    pub engine: Engine,
    pub health: Arc<Health>,
    pub router: Router,
    state: HttpState,
    pub outside: Arc<Outside>,
    script: Script,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Answer {
    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    pub fn code(&self) -> (u16, String) {
        (self.status, self.body()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn message(&self) -> String {
        self.body()["message"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// A request in the making.
pub struct Call<'a> {
    api: &'a Api,
    request: axum::http::request::Builder,
    body: Body,
}

impl Call<'_> {
    pub fn by(self, (oid, role): Who) -> Self {
        let claims =
            json!([{"typ": "oid", "val": oid}, {"typ": "tid", "val": "tenant"}, {"typ": "roles", "val": role}]);
        let principal = json!({"auth_typ": "aad", "claims": claims}).to_string();
        self.header("x-ms-client-principal", &STANDARD.encode(principal))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(mut self, body: Value) -> Self {
        self.body = Body::from(body.to_string());
        self.header("content-type", "application/json")
    }

    pub async fn send(self) -> Answer {
        let response = self.api.router.clone().oneshot(self.request.body(self.body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }
}

impl Api {
    pub fn new() -> Self {
        Self::resuming(None)
    }

    /// With upgrades that go on where `resume` says.
    pub fn resuming(resume: Option<ResumeFn>) -> Self {
        let script = Script::default();
        let scripted = |spec: &'static PipelineSpec, resume| {
            let work = spec.phases.iter().map(|_| Arc::new(script.clone()) as _).collect();
            Pipeline { spec, work, timers: Vec::new(), resume }
        };
        let others = [&ROLLBACK, &RETENTION].map(|spec| scripted(spec, None));
        let own = [probe::pipeline(), scripted(&UPGRADE, resume)];
        let registry = Registry::new(own.into_iter().chain(others).collect());
        let world = World::new(7, Chaos::none(), registry);
        let outside = Outside::new();
        let engine = world.engine("api");
        let auth = AuthConfig { easyauth: Some(EasyAuthConfig { tenant_id: None }), ..AuthConfig::default() };
        let nowhere = "http://127.0.0.1:9".parse().unwrap();
        let authenticator = Authenticator::new(auth, nowhere, reqwest::Client::new(), Arc::new(SystemClock));
        let health = Arc::new(Health::default());
        let state = HttpState {
            engine: engine.clone(),
            authenticator: Arc::new(authenticator),
            upgrade: Arc::new(UpgradeHttp {
                admin_oids: vec![LISTED.0.to_owned()],
                components: COMPONENTS.map(str::to_owned).to_vec(),
                platform: outside.upgrade(),
            }),
            readiness: health.clone(),
        };
        Self { world, engine, health, router: router(state.clone()), state, outside, script }
    }

    /// From now on, callers meet a process to which nothing is delivered from these queues. Workers of others go on.
    pub fn close(&mut self, queues: &[&str]) {
        let closed = queues.iter().map(|queue| ((*queue).to_owned(), format!("somebody switched {queue} off")));
        self.state.engine = self.world.engine("api").closing(closed.collect());
        self.router = router(self.state.clone());
    }

    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        Call { api: self, request: Request::builder().method(method).uri(path), body: Body::empty() }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    /// Starts a probe with this drill, and returns its id.
    pub async fn probe(&self, drill: Value) -> String {
        let body = if drill.is_null() { json!({}) } else { json!({"drill": drill}) };
        let answer = self.post("/api/probe/start").by(ADA).json(body).send().await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.body()["id"].as_str().unwrap().to_owned()
    }

    /// Starts an upgrade that will do these acts, and returns its id.
    pub async fn upgrade(&self, acts: impl IntoIterator<Item = Act>) -> String {
        self.will(acts);
        let body = json!({"target_version": "1.2.3", "confirm_downtime": true});
        let answer = self.post("/api/upgrade/start").by(ADMIN).json(body).send().await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.body()["job_id"].as_str().unwrap().to_owned()
    }

    /// Starts an upgrade and brings it into a phase, where it remembers this and waits.
    pub async fn upgrade_in(&self, phase: &'static str, state: Value) -> String {
        let begun = if phase == "fetching" { None } else { Some(Act::enter(phase, json!({}))) };
        let id = self.upgrade(begun.into_iter().chain([Act::wait(state)])).await;
        self.work().await;
        assert_eq!(self.run(&id).phase, phase);
        id
    }

    /// Starts an upgrade that remembers this in a phase, and ends there.
    pub async fn upgrade_failed_in(&self, phase: &'static str, state: Value) -> String {
        let id = self.upgrade_in(phase, state.clone()).await;
        self.will([Act { state, ..Act::fatal("broken", "it broke") }]);
        tokio::time::sleep(Duration::from_secs(61)).await;
        self.step().await;
        id
    }

    /// Leaves a document in the scope, as a run does.
    pub async fn remember(&self, name: &str, value: &Value) {
        let written = self.engine.update_document(&Scope::new("platform"), name, |_| Some(value.clone())).await;
        written.unwrap();
    }

    /// What upgrades do from now on.
    pub fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.script.0.lock().unwrap().extend(acts);
    }

    /// Delivers what can be delivered now, and what follows from it.
    pub async fn work(&self) {
        while let Some(message) = self.world.receive() {
            self.world.deliver(&self.engine, &message).await;
        }
    }

    /// Delivers one message.
    pub async fn step(&self) {
        let message = self.world.receive().expect("a message is there");
        self.world.deliver(&self.engine, &message).await;
    }

    pub fn run(&self, id: &str) -> Run {
        self.world.stored(&id.parse().unwrap())
    }

    /// The next `count` operations that begin with `operation` fail.
    pub fn fail(&self, operation: &'static str, count: u32) {
        let faults = (1..=count).map(|nth| Fault { operation, nth, mode: Mode::Before }).collect();
        *self.world.chaos.lock().unwrap() = Chaos::scripted(faults);
    }
}
