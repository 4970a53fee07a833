//! Runs a pipeline again and again, each time with one fault at one operation, and with every message coming twice.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use serde_json::Value;
use windlass::engine::{Engine, Registry, StartRequest, TellError};
use windlass::model::{Run, RunId};

use super::world::{Chaos, Fault, Injector, Mode, Operation, World, in_virtual_time, live, request, with_key};

/// What somebody tells the run while it runs.
#[derive(Clone, Debug)]
pub enum Tell {
    Signal {
        after: Duration,
        name: &'static str,
        value: Value,
    },
    Cancel {
        after: Duration,
    },
    /// A signal made of what the run says, as soon as it says it.
    Answer {
        name: &'static str,
        value: fn(&Run) -> Option<Value>,
    },
}

/// A run's input, by the run before it.
pub type InputBy = fn(&Run) -> Value;

/// A run to be had: what is asked for, and what is told to it.
#[derive(Clone, Debug)]
pub struct Case {
    pub pipeline: &'static str,
    pub scope: &'static str,
    pub input: Value,
    pub told: Option<Tell>,
    /// The time until it is told begins with the first operation whose name starts with this.
    pub upon: &'static str,
    /// Only what comes from the first operation of such a name on is struck: of what has come before, another case has
    /// struck every operation.
    pub struck_from: &'static str,
    /// The run that is had once the first has ended: its pipeline, and its input by the first. Then only the second is
    /// struck.
    pub then: Option<(&'static str, InputBy)>,
}

impl Case {
    pub fn of(pipeline: &'static str, scope: &'static str, input: Value) -> Self {
        Self { pipeline, scope, input, told: None, upon: "", struck_from: "", then: None }
    }
}

/// First has the run in a calm world, then in one world for each operation of the calm one and for each [`Mode`] of
/// failing, all of it once with single and once with doubled deliveries, and in worlds whose second deliveries come
/// late. Each of them must come to its end and keep every invariant, and must please `expect`, which is shown the
/// world, the ended run (of two, the second) and the system outside that `set_up` made for it (`()` if there is none).
///
/// Returns how many worlds there were.
pub fn for_every_storage_operation<O>(
    set_up: impl Fn(&Injector) -> (Registry, O) + Sync,
    case: &Case,
    expect: impl Fn(&World, &Run, &O) + Sync,
) -> usize {
    let try_one = |chaos: Chaos, what: &str| -> (Vec<Operation>, usize) {
        let tried = catch_unwind(AssertUnwindSafe(|| in_virtual_time(world(chaos, &set_up, case, &expect))));
        tried.unwrap_or_else(|panic| {
            eprintln!("{case:?} does not stand {what}");
            resume_unwind(panic)
        })
    };
    let again = |later: Option<Duration>| move |chaos: Chaos| chaos.with_every_message_again(later);
    let late = [Duration::from_secs(1), Duration::from_secs(300)];
    for later in late {
        try_one(again(Some(later))(Chaos::none()), &format!("a second delivery {later:?} after the first"));
    }
    let mut worlds = late.len();
    for (deliveries, doubled) in [("single", again(None)), ("doubled", again(Some(Duration::ZERO)))] {
        let (calm, from) = try_one(doubled(Chaos::none()), &format!("a calm world of {deliveries} deliveries"));
        let struck: Vec<(usize, Mode)> = (from..calm.len()).flat_map(|at| Mode::ALL.map(|mode| (at, mode))).collect();
        worlds += 1 + struck.len();
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            for share in struck.chunks(struck.len().div_ceil(threads).max(1)) {
                let (calm, doubled, try_one) = (&calm, &doubled, &try_one);
                scope.spawn(move || {
                    for &(at, mode) in share {
                        let nth = u32::try_from(at + 1).expect("a run has few operations");
                        let chaos = doubled(Chaos::scripted(vec![Fault { operation: "", nth, mode }]));
                        let name = &calm[at].name;
                        try_one(chaos, &format!("{mode:?} at operation {at} ({name}) with {deliveries} deliveries"));
                    }
                });
            }
        });
    }
    worlds
}

/// One world, from the request to the quiet after the run's end; returns what was done in it, and from where on it is
/// to be struck.
async fn world<O>(
    chaos: Chaos,
    set_up: &impl Fn(&Injector) -> (Registry, O),
    case: &Case,
    expect: &impl Fn(&World, &Run, &O),
) -> (Vec<Operation>, usize) {
    let (world, outside) = World::made(1, chaos, set_up);
    let client = world.engine("client");
    let mut started = Vec::new();
    let mut from = 0;
    let story = async {
        let id = insist_on_start(&client, case, "first", case.pipeline, case.input.clone()).await;
        if let Some(told) = &case.told {
            insist_on_telling(&world, &client, &id, case.upon, told).await;
        }
        started.push(id.clone());
        if let Some((pipeline, input)) = case.then {
            let first = until(&world, || Some(world.stored(&id)).filter(Run::is_ended)).await.expect("it ends");
            from = world.trace().len();
            started.push(insist_on_start(&client, case, "second", pipeline, input(&first)).await);
        }
    };
    world.play(World::LONGEST, story).await;
    // What was asked of a system outside may come when nobody waits for it any more.
    tokio::time::sleep(Injector::LATEST).await;
    let id = started.last().expect("somebody who insists gets a run");
    let run = world.stored(id);
    assert_eq!(world.verify(), Vec::<String>::new());
    assert_eq!(world.runs().len(), started.len(), "one request, one run");
    expect(&world, &run, &outside);
    let trace = world.trace();
    let last = world.sweep().await;
    assert!(last.resent + last.failed == 0 && last.breaches.is_empty(), "in a world at rest the sweep finds {last:?}");
    let named = trace.iter().skip(from).position(|each| each.name.starts_with(case.struck_from)).unwrap_or_default();
    (trace, from + named)
}

/// Looks without an operation of its own, until it finds something or the world has stood for too long.
async fn until<T>(world: &World, look: impl Fn() -> Option<T>) -> Option<T> {
    let begun = world.now();
    while world.now() < begun + World::LONGEST / 2 {
        if let Some(found) = look() {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}

const PATIENCE: u32 = 20;

/// Asks with a key, again and again until there is an answer.
async fn insist_on_start(client: &Engine, case: &Case, key: &str, pipeline: &'static str, input: Value) -> RunId {
    for _ in 0..PATIENCE {
        let request: StartRequest = with_key(key, request(pipeline, case.scope, input.clone()));
        if let Some(Ok(started)) = live(client.start(request)).await {
            return started.run.id;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("no run could be started");
}

async fn insist_on_telling(world: &World, client: &Engine, id: &RunId, upon: &str, told: &Tell) {
    let ended = || world.stored(id).is_ended();
    until(world, || (ended() || world.count(upon) > 0).then_some(())).await;
    let signal = match told {
        Tell::Signal { after, name, value } => {
            tokio::time::sleep(*after).await;
            Some((*name, value.clone()))
        }
        Tell::Cancel { after } => {
            tokio::time::sleep(*after).await;
            None
        }
        Tell::Answer { name, value } => {
            let said = || value(&world.stored(id)).map(Some).or(ended().then_some(None));
            let Some(value) = until(world, said).await.flatten() else { return };
            Some((*name, value))
        }
    };
    for _ in 0..PATIENCE {
        let answer = match &signal {
            Some((name, value)) => live(client.signal(id, name, value.clone())).await,
            None => live(client.cancel(id, "tester", "a drill")).await,
        };
        if let Some(Ok(_) | Err(TellError::Ended | TellError::FallingBack)) = answer {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the run could not be told");
}
