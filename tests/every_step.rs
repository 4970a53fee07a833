//! Every operation of a run fails, is not answered, stalls and kills its caller; every message comes twice.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::effects;
use support::every_step::{Case, Tell, for_every_storage_operation};
use support::outside::Outside;
use support::probe::{self, PHASES, SUCCEEDED, end, said};
use support::swap::{self, FAILED, Script, watching};
use support::world::{Injector, World, drill};
use windlass::model::End;
use windlass::pipelines::probe::RELEASE;

/// Runs the probe at every step; it must come to `expected` with `code`, after `done` phases that left one line each.
fn probe_stands(input: Value, told: Option<Tell>, done: usize, expected: End, code: Option<&str>) {
    let case = Case { told, ..Case::of(probe::SPEC.name, probe::SCOPE, input) };
    let set_up = |_: &Injector| (probe::registry(), ());
    let worlds = for_every_storage_operation(set_up, &case, |world: &World, run, ()| {
        assert_eq!((end(run), run.failure.as_ref().map(|failure| failure.code.as_str())), (expected, code));
        let said = said(world, run);
        // A fault may hold the run up until a cancellation overtakes it.
        let done = if expected == End::Terminated { said.len().min(done) } else { done };
        assert_eq!(said, PHASES[..done]);
        assert_eq!(run.state["done"].as_array().map_or(0, Vec::len), done);
        if expected == SUCCEEDED {
            assert_eq!(run.output, json!({"phases": PHASES}));
        }
    });
    assert!(worlds > 90, "{worlds} worlds are not every step");
}

#[test]
fn a_run_comes_to_its_end_whatever_is_struck() {
    probe_stands(json!({}), None, 4, SUCCEEDED, None);
}

#[test]
fn a_wait_comes_to_its_end_whatever_is_struck() {
    for phase in PHASES {
        probe_stands(drill(phase, "wait"), None, 4, SUCCEEDED, None);
    }
}

#[test]
fn a_block_is_released_by_one_signal_whatever_is_struck() {
    let signal = Tell::Signal { after: Duration::from_secs(5), name: RELEASE, value: json!(true) };
    for phase in PHASES {
        probe_stands(drill(phase, "block"), Some(signal.clone()), 4, SUCCEEDED, None);
    }
}

#[test]
fn a_cancelled_run_is_terminated_whatever_is_struck() {
    let cancel = Tell::Cancel { after: Duration::from_secs(20) };
    for (done, phase) in PHASES.into_iter().enumerate() {
        probe_stands(drill(phase, "block"), Some(cancel.clone()), done, End::Terminated, None);
    }
}

#[test]
fn a_failure_keeps_its_cause_whatever_is_struck() {
    for (action, code) in [("fail", "drill_failure"), ("flake", "drill_flake"), ("panic", "phase_panicked")] {
        for (done, phase) in PHASES.into_iter().enumerate() {
            probe_stands(drill(phase, action), None, done, End::Failed, Some(code));
        }
    }
}

#[test]
fn i7_external_effects_are_found_again_whatever_is_struck() {
    let set_up = |injector: &Injector| {
        let outside = Outside::new(injector);
        (effects::registry(&outside), outside)
    };
    let case = Case::of("effects", "effects:every-step", Value::Null);
    for_every_storage_operation(set_up, &case, |world: &World, run, outside| {
        assert_eq!(end(run), SUCCEEDED);
        assert_eq!(world.log(run, effects::SPEC.logs, effects::LOG), "named\nobserved\nstarted\ndone\n");
        outside.effects(|effects| {
            assert_eq!(effects.things.len(), 1, "a thing put again is the same thing");
            let of = |kind: &str| effects.jobs.iter().filter(|job| job.tag.starts_with(kind)).count();
            assert_eq!(of("observed"), 1, "what is there is found, and not made again");
            // Between the call and the checkpoint a death may strike; a job of which nobody knows is waited for by nobody.
            assert!((1..=2).contains(&of("tracked")));
            let job = usize::try_from(run.output["job"].as_u64().expect("a job")).expect("a place");
            assert!(effects.asked.iter().all(|asked| *asked == job), "{effects:?}");
        });
    });
}

/// Has the swap at every step; it must come to `expected`, and what was swapped and not kept must be restored.
fn swap_stands(script: &Script, told: Option<Tell>, expected: &[(End, Option<&str>)]) {
    let case = Case { told, ..Case::of(swap::SPEC.name, swap::SCOPE, json!(script)) };
    let set_up = |_: &Injector| (swap::registry(), ());
    let worlds = for_every_storage_operation(set_up, &case, |world: &World, run, ()| {
        let code = run.failure.as_ref().map(|failure| failure.code.as_str());
        assert!(expected.contains(&(end(run), code)), "{:?} {code:?}", end(run));
        assert!(swap::is_consistent(world, run), "{:?}", run.state);
        let thing = world.document(swap::SCOPE, "thing");
        let restored = (thing.clone(), world.document(swap::SCOPE, "before")) == (Some(json!({"is": "old"})), None);
        let turned = run.fallback.is_some();
        assert_eq!((turned && end(run) == FAILED, turned), (restored, restored));
        assert_eq!(end(run) == SUCCEEDED, thing == Some(json!({"is": "new"})));
    });
    assert!(worlds > 90, "{worlds} worlds are not every step");
}

#[test]
fn a_swap_is_kept_or_restored_whatever_is_struck() {
    swap_stands(&Script::default(), None, &[(SUCCEEDED, None)]);
    for (action, code) in [("fail", "sick"), ("flake", "pale")] {
        swap_stands(&watching(action), None, &[(FAILED, Some(code))]);
    }
}

#[test]
fn a_cancelled_swap_is_restored_whatever_is_struck() {
    let cancel = Tell::Cancel { after: Duration::from_secs(20) };
    // A fault may hold the run up until the cancellation finds nothing to undo.
    swap_stands(&watching("block"), Some(cancel), &[(FAILED, Some("cancelled")), (End::Terminated, None)]);
}
