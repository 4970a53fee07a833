//! Whether a destination is worth waiting for, or worth asking at all.
//!
//! ```text
//!             overran                     refused
//!  Flowing ───────────▶ Slow ──┐   ┌──────────────────▶ Open, and longer each time
//!     ▲  ◀───────────── (sent, but nobody waits)           │ its pause is over
//!     └────────────── taken quickly ◀── the timer asks ◀───┘
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// The first pause after a failure; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Invocations wait until they are through.
    Flowing,
    /// It is sent, but takes longer than anybody would wait.
    Slow,
    /// Nothing is sent before `until`.
    Open { until: Instant, failures: u32 },
}

#[derive(Debug)]
pub struct Circuit(State);

/// What a circuit has turned to, the first time that it did; to be said in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turned {
    Slow,
    Open { pause: Duration },
    Back,
}

impl Circuit {
    pub fn new() -> Self {
        Self(State::Flowing)
    }

    /// Whether an invocation waits for what it has to send.
    pub fn waits(&self) -> bool {
        self.0 == State::Flowing
    }

    pub fn sends(&self, now: Instant) -> bool {
        !matches!(self.0, State::Open { until, .. } if now < until)
    }

    /// Everything was taken; `quickly` if an invocation would have waited for it.
    pub fn taken(&mut self, quickly: bool) -> Option<Turned> {
        let before = std::mem::replace(&mut self.0, if quickly { State::Flowing } else { State::Slow });
        (before != State::Flowing && quickly).then_some(Turned::Back)
    }

    /// An invocation has waited for as long as it may.
    pub fn overran(&mut self) -> Option<Turned> {
        if self.0 != State::Flowing {
            return None;
        }
        self.0 = State::Slow;
        Some(Turned::Slow)
    }

    /// It was not taken. `after`: for so long nobody is to ask again.
    pub fn failed(&mut self, now: Instant, after: Option<Duration>) -> Option<Turned> {
        let before = match self.0 {
            State::Open { failures, .. } => failures,
            State::Flowing | State::Slow => 0,
        };
        let grown = PAUSE.saturating_mul(2_u32.saturating_pow(before)).min(LONGEST_PAUSE);
        let pause = after.map_or(grown, |after| after.max(PAUSE));
        self.0 = State::Open { until: now + pause, failures: before.saturating_add(1) };
        (before == 0).then_some(Turned::Open { pause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_failure_is_enough_for_nobody_to_wait_any_more() {
        let (mut circuit, now) = (Circuit::new(), Instant::now());
        assert!(circuit.waits() && circuit.sends(now));
        assert_eq!(circuit.failed(now, None), Some(Turned::Open { pause: PAUSE }));
        assert!(!circuit.waits() && !circuit.sends(now + PAUSE - SECOND) && circuit.sends(now + PAUSE));
    }

    #[test]
    fn pauses_grow_to_a_bound_and_are_spoken_of_once() {
        let (mut circuit, mut now) = (Circuit::new(), Instant::now());
        circuit.failed(now, None);
        for pause in [10, 20, 40, 80, 160, 300, 300] {
            now += LONGEST_PAUSE;
            assert_eq!(circuit.failed(now, None), None);
            assert!(!circuit.sends(now + pause * SECOND - SECOND) && circuit.sends(now + pause * SECOND), "{pause}");
        }
        assert_eq!(circuit.taken(true), Some(Turned::Back));
        assert!(circuit.waits());
        assert_eq!(circuit.failed(now, None), Some(Turned::Open { pause: PAUSE }));
    }

    #[test]
    fn a_pause_that_was_asked_for_is_kept() {
        let (mut circuit, now) = (Circuit::new(), Instant::now());
        circuit.failed(now, Some(600 * SECOND));
        assert!(!circuit.sends(now + 599 * SECOND) && circuit.sends(now + 600 * SECOND));
    }

    #[test]
    fn what_is_slow_is_sent_to_without_waiting_until_it_is_quick_again() {
        let (mut circuit, now) = (Circuit::new(), Instant::now());
        assert_eq!(circuit.overran(), Some(Turned::Slow));
        assert_eq!(circuit.overran(), None);
        assert_eq!(circuit.taken(false), None);
        assert!(!circuit.waits() && circuit.sends(now));
        assert_eq!(circuit.taken(true), Some(Turned::Back));
        assert!(circuit.waits());
    }
}
