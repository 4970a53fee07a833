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
    Signal { after: Duration, name: &'static str, value: Value },
    Cancel { after: Duration },
}

/// A run to be had: what is asked for, and what is told to it.
#[derive(Clone, Debug)]
pub struct Case {
    pub pipeline: &'static str,
    pub scope: &'static str,
    pub input: Value,
    pub told: Option<Tell>,
}

/// First has the run in a calm world, then in one world for each operation of the calm one and for each [`Mode`] of
/// failing, all of it once with single and once with doubled deliveries, and in worlds whose second deliveries come
/// late. Each of them must come to its end and keep every invariant, and must please `expect`, which is shown the
/// world, the ended run and the system outside that `set_up` made for it (`()` if there is none).
///
/// Returns how many worlds there were.
pub fn for_every_storage_operation<O>(
    set_up: impl Fn(&Injector) -> (Registry, O) + Sync,
    case: &Case,
    expect: impl Fn(&World, &Run, &O) + Sync,
) -> usize {
    let try_one = |chaos: Chaos, what: &str| -> Vec<Operation> {
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
        let calm = try_one(doubled(Chaos::none()), &format!("a calm world of {deliveries} deliveries"));
        let struck: Vec<(usize, Mode)> = (0..calm.len()).flat_map(|at| Mode::ALL.map(|mode| (at, mode))).collect();
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

/// One world, from the request to the quiet after the run's end; returns what was done in it.
async fn world<O>(
    chaos: Chaos,
    set_up: &impl Fn(&Injector) -> (Registry, O),
    case: &Case,
    expect: &impl Fn(&World, &Run, &O),
) -> Vec<Operation> {
    let (world, outside) = World::made(1, chaos, set_up);
    let client = world.engine("client");
    let mut started = None;
    let story = async {
        let id = insist_on_start(&client, case).await;
        if let Some(told) = &case.told {
            insist_on_telling(&client, &id, told).await;
        }
        started = Some(id);
    };
    world.play(World::LONGEST, story).await;
    let id = started.expect("somebody who insists gets a run");
    let run = world.stored(&id);
    assert_eq!(world.verify(), Vec::<String>::new());
    assert_eq!(world.runs().len(), 1, "one request, one run");
    expect(&world, &run, &outside);
    let trace = world.trace();
    let last = world.sweep().await;
    assert!(last.resent + last.failed == 0 && last.breaches.is_empty(), "in a world at rest the sweep finds {last:?}");
    trace
}

const PATIENCE: u32 = 20;

/// Asks with a key, again and again until there is an answer.
async fn insist_on_start(client: &Engine, case: &Case) -> RunId {
    for _ in 0..PATIENCE {
        let request: StartRequest = with_key("every-step", request(case.pipeline, case.scope, case.input.clone()));
        if let Some(Ok(started)) = live(client.start(request)).await {
            return started.run.id;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("no run could be started");
}

async fn insist_on_telling(client: &Engine, id: &RunId, told: &Tell) {
    let (Tell::Signal { after, .. } | Tell::Cancel { after }) = told;
    tokio::time::sleep(*after).await;
    for _ in 0..PATIENCE {
        let answer = match told {
            Tell::Signal { name, value, .. } => live(client.signal(id, name, value.clone())).await,
            Tell::Cancel { .. } => live(client.cancel(id, "tester", "a drill")).await,
        };
        if let Some(Ok(_) | Err(TellError::Ended | TellError::FallingBack)) = answer {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the run could not be told");
}
