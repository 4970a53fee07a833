use std::collections::BTreeMap;

use super::*;
use crate::model::{CancelRequest, Failure, GENESIS, RunId, Scope, Verdict};

const NOW: Timestamp = Timestamp::from_millis(1_000);
const LATER: Timestamp = Timestamp::from_millis(2_000);

fn run() -> Run {
    let scope = Scope::new("platform");
    let mut run = Run {
        id: RunId::new(&scope, 1, 2),
        scope,
        pipeline: "probe".into(),
        phase: "first".into(),
        progress: Progress::Ready { wake_at: NOW, wake: Wake::Started },
        seq: 0,
        attempt: 1,
        claims: 0,
        phase_entered_at: NOW,
        deadline_at: LATER,
        input: Value::Null,
        state: Value::Null,
        output: Value::Null,
        failure: None,
        logs: BTreeMap::new(),
        cancel: None,
        fallback: None,
        signals: BTreeMap::new(),
        signalled: false,
        retry_of: None,
        started_by: "tester".into(),
        created_at: NOW,
        updated_at: NOW,
        events: 0,
        last_hash: GENESIS.into(),
        first_previous: GENESIS.into(),
        receipt: crate::model::Receipt::default(),
        operation: "op0".into(),
    };
    begin(&mut run);
    run
}

fn work() -> Work {
    Work { state: json!({"kept": true}), ..Work::default() }
}

fn step(run: &Run, by: &str, step: Step) -> Result<Transition, IllegalTransition> {
    apply(run, by, step, NOW, "op1".into())
}

fn claim(run: &Run, by: &str) -> Result<Transition, IllegalTransition> {
    step(run, by, Step::Claim { seq: run.seq, expires_at: LATER })
}

fn leased(by: &str) -> Run {
    claim(&run(), by).expect("a ready run can be claimed").run
}

fn cancel() -> Step {
    Step::RequestCancel { request: CancelRequest { by: "op".into(), reason: "no".into(), at: NOW } }
}

fn every_step_of_a_holder() -> Vec<Step> {
    vec![
        Step::Renew { expires_at: LATER },
        Step::Checkpoint { work: work() },
        Step::Next { work: work(), phase: "second".into(), deadline_at: LATER },
        Step::Wait { work: work(), wake_at: LATER, reason: "because".into() },
        Step::Retry { work: work(), wake_at: LATER, failure: Failure::new("x", "y") },
        Step::Done { work: work(), verdict: Verdict::Succeeded, output: Value::Null },
        Step::Fail { work: work(), failure: Failure::new("x", "y") },
        Step::Terminate { work: work() },
    ]
}

#[test]
fn i1_an_ended_run_takes_no_step_at_all() {
    let over = step(&leased("a"), "a", Step::Done { work: work(), verdict: Verdict::Succeeded, output: Value::Null })
        .expect("a holder may end the run")
        .run;
    let mut steps = every_step_of_a_holder();
    steps.extend([
        Step::Claim { seq: over.seq, expires_at: LATER },
        cancel(),
        Step::Abort { failure: Failure::new("x", "y") },
    ]);
    for each in steps {
        assert_eq!(step(&over, "a", each), Err(IllegalTransition::Ended));
    }
}

#[test]
fn i1_seq_never_shrinks_and_grows_with_every_decision() {
    let held = leased("a");
    for each in every_step_of_a_holder() {
        let bookkeeping = matches!(each, Step::Renew { .. } | Step::Checkpoint { .. });
        let after = step(&held, "a", each).expect("a holder may take the step").run;
        assert_eq!(after.seq, held.seq + u64::from(!bookkeeping));
    }
}

#[test]
fn i2_a_live_lease_keeps_others_out_and_an_expired_one_does_not() {
    let held = leased("a");
    assert_eq!(claim(&held, "b"), Err(IllegalTransition::Held));
    let taken = apply(&held, "b", Step::Claim { seq: held.seq, expires_at: LATER }, LATER, "op2".into())
        .expect("the lease ran out");
    assert_eq!(taken.run.claims, 2);
    assert_eq!(taken.event.map(|event| event.kind), Some(EventKind::TakenOver));
    for each in every_step_of_a_holder() {
        assert_eq!(step(&taken.run, "a", each), Err(IllegalTransition::NotHeld));
    }
}

#[test]
fn a_claim_is_good_for_the_seq_of_its_ticket_alone() {
    for seq in [0, 2] {
        let moved_on = Run { seq: 1, ..run() };
        assert_eq!(step(&moved_on, "a", Step::Claim { seq, expires_at: LATER }), Err(IllegalTransition::Stale));
    }
}

#[test]
fn only_a_leased_run_can_be_worked_on() {
    for each in every_step_of_a_holder() {
        assert_eq!(step(&run(), "a", each), Err(IllegalTransition::NotHeld));
    }
}

#[test]
fn i5_every_decision_has_exactly_one_event_that_follows_the_last() {
    let held = leased("a");
    for each in every_step_of_a_holder() {
        let bookkeeping = matches!(each, Step::Renew { .. } | Step::Checkpoint { .. });
        let after = step(&held, "a", each).expect("a holder may take the step");
        match after.event {
            None => assert!(bookkeeping),
            Some(event) => {
                assert!(event.follows(&held.last_hash));
                assert_eq!((event.number, &event.hash), (after.run.events, &after.run.last_hash));
            }
        }
    }
}

#[test]
fn a_cancelled_run_goes_no_further_but_may_end() {
    let asked = step(&leased("a"), "b", cancel()).expect("anybody may ask").run;
    assert_eq!(step(&asked, "b", cancel()), Err(IllegalTransition::AlreadyRequested));
    for each in every_step_of_a_holder() {
        let onward = matches!(each, Step::Next { .. } | Step::Wait { .. } | Step::Retry { .. });
        assert_eq!(step(&asked, "a", each).is_err(), onward);
    }
}

#[test]
fn cancelling_a_waiting_run_wakes_it_with_a_new_ticket_and_a_held_one_keeps_its_seq() {
    let waiting =
        step(&leased("a"), "a", Step::Wait { work: work(), wake_at: LATER, reason: "r".into() }).expect("a wait").run;
    let woken = step(&waiting, "b", cancel()).expect("a cancel").run;
    assert_eq!(woken.seq, waiting.seq + 1);
    assert_eq!(woken.next_wake_at(), Some(NOW));
    assert_eq!(step(&leased("a"), "b", cancel()).expect("a cancel").run.seq, 0);
}

#[test]
fn a_signal_cuts_a_wait_short_whether_it_comes_before_or_after_the_wait_is_committed() {
    let signal = || Step::Signal { name: "release".into(), value: json!(true) };
    let wait = || Step::Wait { work: work(), wake_at: LATER, reason: "blocked".into() };
    let before = step(&leased("a"), "b", signal()).expect("a held run hears it").run;
    assert_eq!(step(&before, "a", wait()).expect("a wait").run.next_wake_at(), Some(NOW));
    let waiting = step(&leased("a"), "a", wait()).expect("a wait").run;
    let woken = step(&waiting, "b", signal()).expect("a waiting run hears it").run;
    assert_eq!((woken.seq, woken.next_wake_at()), (waiting.seq + 1, Some(NOW)));
    let claimed = claim(&woken, "a").expect("a claim").run;
    assert_eq!(claimed.signals["release"], json!(true));
    assert_eq!(step(&claimed, "a", wait()).expect("a wait").run.next_wake_at(), Some(LATER));
}

#[test]
fn a_start_can_be_undone_only_before_anybody_has_claimed_it() {
    let abort = || Step::Abort { failure: Failure::new("not_queued", "y") };
    assert!(step(&run(), "a", abort()).expect("nothing has begun").run.is_ended());
    assert_eq!(step(&leased("a"), "a", abort()), Err(IllegalTransition::Begun));
}

#[test]
fn a_retry_counts_an_attempt_and_a_wait_or_a_new_phase_starts_over() {
    let retried =
        step(&leased("a"), "a", Step::Retry { work: work(), wake_at: LATER, failure: Failure::new("x", "y") })
            .expect("a retry")
            .run;
    assert_eq!(retried.attempt, 2);
    let again = claim(&retried, "a").expect("a claim").run;
    let next =
        step(&again, "a", Step::Next { work: work(), phase: "second".into(), deadline_at: LATER }).expect("a next").run;
    assert_eq!((next.attempt, next.phase.as_str(), next.phase_entered_at), (1, "second", NOW));
}
