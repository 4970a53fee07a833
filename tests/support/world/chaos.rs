//! What goes wrong, by a seed's dice or by a script, and a record of everything that was done.

use std::time::Duration;

use windlass::model::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Nothing happens and the caller is told that storage did not answer.
    Before,
    /// It happens and the caller is told that storage did not answer.
    After,
    /// It happens after a while that outlasts a lease.
    Stall,
    /// The caller dies before the operation.
    DieBefore,
    /// The caller dies after the operation took effect.
    DieAfter,
}

impl Mode {
    pub const ALL: [Self; 5] = [Self::Before, Self::After, Self::Stall, Self::DieBefore, Self::DieAfter];
}

/// One scripted fault: the `nth` operation (from 1) whose name starts with `operation`.
#[derive(Clone, Debug)]
pub struct Fault {
    pub operation: &'static str,
    pub nth: u32,
    pub mode: Mode,
}

/// One operation, as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    pub at: Timestamp,
    pub name: String,
    pub struck: Option<Mode>,
}

pub struct Chaos {
    random: fastrand::Rng,
    /// Whether the dice decide which message comes next, how long it takes and whether it comes twice.
    seeded: bool,
    /// Faults in a thousand operations.
    per_mille: u32,
    script: Vec<Fault>,
    /// Every message comes once more, this long after it came first.
    again: Option<Duration>,
    pub trace: Vec<Operation>,
}

impl Chaos {
    pub fn none() -> Self {
        let random = fastrand::Rng::with_seed(0);
        Self { random, seeded: false, per_mille: 0, script: Vec::new(), again: None, trace: Vec::new() }
    }

    pub fn seeded(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // Some worlds are nearly calm, some are terrible.
        let per_mille = [0, 5, 30, 100, 250][random.usize(..5)];
        Self { random, seeded: true, per_mille, ..Self::none() }
    }

    pub fn scripted(script: Vec<Fault>) -> Self {
        Self { script, ..Self::none() }
    }

    pub fn with_every_message_again(self, later: Option<Duration>) -> Self {
        Self { again: later, ..self }
    }

    /// From now on nothing goes wrong any more. What was done stays on record.
    pub fn calm(&mut self) {
        *self = Self { trace: std::mem::take(&mut self.trace), ..Self::none() };
    }

    /// Adds a fault that counts operations from now on.
    pub fn arm(&mut self, fault: Fault) {
        self.script.push(fault);
    }

    /// What happens to this operation.
    pub fn strike(&mut self, name: String, at: Timestamp) -> Option<Mode> {
        let mut struck = None;
        for fault in self.script.iter_mut().filter(|fault| fault.nth > 0 && name.starts_with(fault.operation)) {
            fault.nth -= 1;
            if fault.nth == 0 {
                struck = struck.or(Some(fault.mode));
            }
        }
        if struck.is_none() && self.random.u32(..1000) < self.per_mille {
            // What a store does most is not to answer.
            struck = Some(match self.random.usize(..7) {
                0 | 1 => Mode::Before,
                2 | 3 => Mode::After,
                4 => Mode::Stall,
                5 => Mode::DieBefore,
                _ => Mode::DieAfter,
            });
        }
        self.trace.push(Operation { at, name, struck });
        struck
    }

    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.seeded && self.random.u32(..1000) < per_mille
    }

    pub fn pick(&mut self, of: usize) -> usize {
        if self.seeded { self.random.usize(..of) } else { 0 }
    }

    /// Any span up to `longest`; none at all unless the dice decide.
    pub fn jitter(&mut self, longest: Duration) -> Duration {
        if self.seeded { self.span(longest) } else { Duration::ZERO }
    }

    pub fn span(&mut self, longest: Duration) -> Duration {
        Duration::from_millis(self.random.u64(..=u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)))
    }

    /// When a copy of a message that is received now comes too, if it does.
    pub fn copy_after(&mut self) -> Option<Duration> {
        if self.chance(60) {
            // At once, or much later.
            let longest = if self.chance(500) { Duration::from_secs(7200) } else { Duration::ZERO };
            return Some(self.span(longest));
        }
        self.again
    }
}
