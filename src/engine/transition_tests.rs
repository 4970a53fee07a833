use std::collections::BTreeMap;

use super::*;
use crate::model::{CancelRequest, Failure, Fallback, GENESIS, RunId, Scope, Verdict};

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
        traceparent: None,
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

fn cause() -> Failure {
    Failure::new("sick", "it is sick")
}

fn fall_back(phase: &str, deadline_at: Timestamp) -> Step {
    Step::FallBack { work: work(), phase: phase.into(), cause: cause(), deadline_at, heeds: &[] }
}

/// A run that falls back, claimed by `by`.
fn leased_on_its_way_back(by: &str) -> Run {
    let turned = step(&leased(by), by, fall_back("second", LATER)).expect("a holder may turn it").run;
    claim(&turned, by).expect("its next ticket claims it").run
}

fn every_step_of_a_holder() -> Vec<Step> {
    vec![
        Step::Renew { expires_at: LATER },
        Step::Checkpoint { work: work() },
        Step::Next { work: work(), phase: "second".into(), deadline_at: LATER },
        Step::Wait { work: work(), wake_at: LATER, reason: "because".into() },
        Step::Retry { work: work(), wake_at: LATER, failure: Failure::new("x", "y") },
        Step::Done { work: work(), verdict: Verdict::Succeeded, output: Value::Null, heeds: &[] },
        Step::Fail { work: work(), failure: Failure::new("x", "y"), heeds: &[] },
        Step::Terminate { work: work() },
        fall_back("second", LATER),
    ]
}

#[test]
fn i1_an_ended_run_takes_no_step_at_all() {
    let over = step(
        &leased("a"),
        "a",
        Step::Done { work: work(), verdict: Verdict::Succeeded, output: Value::Null, heeds: &[] },
    )
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

#[test]
fn falling_back_enters_the_phase_anew_and_remembers_why_and_from_where() {
    let late = Timestamp::from_millis(9_000);
    let retried =
        step(&leased("a"), "a", Step::Retry { work: work(), wake_at: NOW, failure: cause() }).expect("a retry");
    let held = claim(&retried.run, "a").expect("a claim").run;
    let turned = apply(&held, "a", fall_back("second", late), LATER, "op2".into()).expect("a holder may turn it");
    let (run, event) = (turned.run, turned.event.expect("a decision has an event"));
    assert_eq!((run.phase.as_str(), run.attempt, run.claims, run.seq), ("second", 1, 0, held.seq + 1));
    assert_eq!((run.phase_entered_at, run.deadline_at, run.next_wake_at()), (LATER, late, Some(LATER)));
    assert_eq!(run.fallback, Some(Fallback { from: "first".into(), cause: cause(), at: LATER }));
    assert_eq!((event.kind, event.phase.as_str()), (EventKind::FellBack, "second"));
    assert_eq!(event.detail, json!({"from": "first", "cause": cause()}));
    assert_eq!((run.failure, run.state), (None, work().state));
}

#[test]
fn a_run_falls_back_once_at_most() {
    let back = leased_on_its_way_back("a");
    assert_eq!(step(&back, "a", fall_back("third", LATER)), Err(IllegalTransition::FallingBack));
}

#[test]
fn a_run_that_falls_back_is_neither_stopped_nor_asked_to_stop() {
    let asked = step(&leased("a"), "b", cancel()).expect("anybody may ask").run;
    assert!(asked.cancel_pending().is_some());
    let turned = step(&asked, "a", fall_back("second", LATER)).expect("a cancelled run may turn").run;
    let asked_before = claim(&turned, "a").expect("a claim").run;
    for back in [asked_before, leased_on_its_way_back("a")] {
        assert_eq!(back.cancel_pending(), None);
        assert_eq!(step(&back, "b", cancel()), Err(IllegalTransition::FallingBack));
        for each in every_step_of_a_holder() {
            let again = matches!(each, Step::FallBack { .. });
            assert_eq!(step(&back, "a", each).is_err(), again);
        }
    }
}

#[test]
fn a_run_that_fell_back_ends_with_the_cause_that_led_there() {
    let back = leased_on_its_way_back("a");
    let done = step(
        &back,
        "a",
        Step::Done { work: work(), verdict: Verdict::Failed, output: json!({"is": "old"}), heeds: &[] },
    );
    let done = done.expect("a holder may end it").run;
    assert_eq!((done.failure, done.output), (Some(cause()), json!({"is": "old"})));
    let failure = Failure::new("stuck", "it cannot go back").with_detail(json!({"at": 1}));
    let failed = step(&back, "a", Step::Fail { work: work(), failure, heeds: &[] }).expect("a holder may end it");
    let shown = failed.run.failure.expect("a cause");
    assert_eq!((shown.code.as_str(), &shown.detail), ("stuck", &json!({"at": 1, "cause": cause()})));
    assert_eq!(failed.event.expect("a decision has an event").detail, json!({"cause": shown}));
}

#[test]
fn the_next_phase_brings_the_run_its_deadline_and_skips_what_it_is_told_to() {
    let late = Timestamp::from_millis(9_000);
    let next = step(&leased("a"), "a", Step::Next { work: work(), phase: "third".into(), deadline_at: late });
    let next = next.expect("a next").run;
    assert_eq!((next.phase.as_str(), next.deadline_at), ("third", late));
}

#[test]
fn documents_go_with_every_step_that_saves_work_and_are_no_part_of_the_run() {
    let documents = Changes::from([("thing".into(), Some(json!(1))), ("other".into(), None)]);
    let held = leased("a");
    for mut each in every_step_of_a_holder() {
        let plain = step(&held, "a", each.clone()).expect("a holder may take the step");
        assert_eq!(plain.documents, Changes::new());
        let Some(work) = work_of(&mut each) else { continue };
        work.documents.clone_from(&documents);
        let with = step(&held, "a", each).expect("a holder may take the step");
        assert_eq!((with.run, with.documents), (plain.run, documents.clone()));
    }
}

fn work_of(step: &mut Step) -> Option<&mut Work> {
    match step {
        Step::Checkpoint { work }
        | Step::Next { work, .. }
        | Step::Wait { work, .. }
        | Step::Retry { work, .. }
        | Step::Done { work, .. }
        | Step::Fail { work, .. }
        | Step::Terminate { work }
        | Step::FallBack { work, .. } => Some(work),
        _ => None,
    }
}

#[test]
fn a_run_does_not_end_or_turn_back_past_a_signal_that_its_phase_has_not_seen() {
    let told =
        |name: &str| step(&leased("a"), "x", Step::Signal { name: name.into(), value: Value::Null }).unwrap().run;
    let left = |run: &Run| run.is_ended() || run.fallback.is_some();
    let ways_out = [
        Step::Done { work: work(), verdict: Verdict::Succeeded, output: Value::Null, heeds: &[] },
        Step::Fail { work: work(), failure: cause(), heeds: &[] },
        fall_back("second", LATER),
    ];
    for way_out in ways_out {
        let heeding = || way_out.clone().heeding(&["rollback"]);
        let again = step(&told("rollback"), "a", heeding()).unwrap();
        assert!(matches!(again.run.progress, Progress::Ready { wake: Wake::Signalled, .. }), "{way_out:?}");
        assert!(again.event.is_some_and(|event| event.kind == EventKind::Waiting) && !left(&again.run));
        assert!(left(&step(&told("another"), "a", heeding()).unwrap().run));
        let seen = Run { signalled: false, ..told("rollback") };
        assert!(left(&step(&seen, "a", heeding()).unwrap().run));
        let stopped = step(&told("rollback"), "x", cancel()).unwrap().run;
        assert!(left(&step(&stopped, "a", heeding()).unwrap().run));
    }
}
