//! What goes wrong, by a seed's dice or by a script.

use std::time::Duration;

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

/// One scripted fault: the `nth` operation (from 1) whose name starts with `operation`.
#[derive(Clone, Debug)]
pub struct Fault {
    pub operation: &'static str,
    pub nth: u32,
    pub mode: Mode,
}

pub struct Chaos {
    random: fastrand::Rng,
    /// Faults in a thousand operations.
    per_mille: u32,
    script: Vec<Fault>,
    pub trace: Vec<String>,
}

impl Chaos {
    pub fn none() -> Self {
        Self { random: fastrand::Rng::with_seed(0), per_mille: 0, script: Vec::new(), trace: Vec::new() }
    }

    pub fn seeded(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        // Some worlds are nearly calm, some are terrible.
        let per_mille = [0, 5, 30, 100, 250][random.usize(..5)];
        Self { random, per_mille, script: Vec::new(), trace: Vec::new() }
    }

    pub fn scripted(script: Vec<Fault>) -> Self {
        Self { script, ..Self::none() }
    }

    pub fn is_seeded(&self) -> bool {
        self.per_mille > 0
    }

    /// What happens to this operation.
    pub fn strike(&mut self, operation: &str) -> Option<Mode> {
        if !self.is_seeded() {
            self.trace.push(operation.to_owned());
        }
        for fault in &mut self.script {
            if fault.nth > 0 && operation.starts_with(fault.operation) {
                fault.nth -= 1;
                if fault.nth == 0 {
                    return Some(fault.mode);
                }
            }
        }
        (self.random.u32(..1000) < self.per_mille).then(|| {
            [Mode::Before, Mode::Before, Mode::After, Mode::After, Mode::Stall, Mode::DieBefore, Mode::DieAfter]
                [self.random.usize(..7)]
        })
    }

    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.is_seeded() && self.random.u32(..1000) < per_mille
    }

    pub fn pick(&mut self, of: usize) -> usize {
        if self.is_seeded() { self.random.usize(..of) } else { 0 }
    }

    pub fn span(&mut self, longest: Duration) -> Duration {
        Duration::from_millis(self.random.u64(..=u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)))
    }
}
