//! An observer that remembers what it was told.

use std::sync::Mutex;
use std::time::Duration;

use windlass::engine::observe::{ANSWERS, OUTCOMES, POISON_KINDS};
use windlass::engine::{Observation, Observer};

#[derive(Default)]
pub struct Recorder {
    told: Mutex<Vec<(String, Option<Duration>)>>,
}

impl Recorder {
    /// What was told, in words and in order.
    pub fn said(&self) -> Vec<String> {
        self.told.lock().expect("never poisoned").iter().map(|(said, _)| said.clone()).collect()
    }

    /// Those words that start with `what`.
    pub fn said_of(&self, what: &str) -> Vec<String> {
        self.said().into_iter().filter(|said| said.starts_with(what)).collect()
    }

    /// The times that came with the words that start with `what`.
    pub fn times(&self, what: &str) -> Vec<Duration> {
        let told = self.told.lock().expect("never poisoned");
        told.iter().filter(|(said, _)| said.starts_with(what)).filter_map(|(_, time)| *time).collect()
    }
}

impl Observer for Recorder {
    fn observe(&self, observation: &Observation<'_>) {
        let told = match *observation {
            Observation::Delivered { pipeline, phase, age } => (format!("delivered {pipeline}/{phase}"), Some(age)),
            Observation::Answered { pipeline, phase, answer, took } => {
                assert!(ANSWERS.contains(&answer), "{answer}");
                (format!("answered {pipeline}/{phase} {answer}"), Some(took))
            }
            Observation::Retried { pipeline, phase, code } => (format!("retried {pipeline}/{phase} {code}"), None),
            Observation::Ended { pipeline, outcome, took } => {
                assert!(OUTCOMES.contains(&outcome), "{outcome}");
                (format!("ended {pipeline} {outcome}"), Some(took))
            }
            Observation::Poisoned { queue, kind } => {
                assert!(POISON_KINDS.contains(&kind), "{kind}");
                (format!("poisoned {queue} {kind}"), None)
            }
            Observation::Swept { live, late, stuck, unreadable } => {
                (format!("swept {live} live, {late} late, {stuck} stuck, {unreadable} unreadable"), None)
            }
        };
        self.told.lock().expect("never poisoned").push(told);
    }
}
