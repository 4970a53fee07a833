//! What happened to a run: append-only, each event carrying the hash of the one before it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{RunId, Timestamp};

/// The hash before a run's first event.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    pub run: RunId,
    /// Counts from 1 without a gap.
    pub number: u64,
    pub at: Timestamp,
    pub kind: EventKind,
    pub phase: String,
    pub seq: u64,
    pub attempt: u32,
    /// Facts of this kind of event: the reason of a wait, the cause of a failure, who cancelled.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
    pub previous: String,
    pub hash: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Started,
    /// A worker took over from one whose lease had run out.
    TakenOver,
    Entered,
    Waiting,
    Retrying,
    Signalled,
    /// The run could not go on and undoes what it did.
    FellBack,
    CancelRequested,
    Completed,
    Failed,
    Terminated,
}

impl Event {
    /// Seals the event: its hash covers every other field and the previous hash.
    pub fn sealed(mut self) -> Self {
        self.hash = self.digest();
        self
    }

    /// Whether the event says what it said when it was sealed, right after `previous`.
    pub fn follows(&self, previous: &str) -> bool {
        self.previous == previous && self.hash == self.digest()
    }

    fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        let kind = serde_json::to_string(&self.kind).unwrap_or_default();
        let number = self.number.to_string();
        let seq = self.seq.to_string();
        let attempt = self.attempt.to_string();
        let fields = [
            self.previous.as_str(),
            &self.run.to_string(),
            &number,
            &self.at.to_string(),
            &kind,
            &self.phase,
            &seq,
            &attempt,
            &self.detail.to_string(),
        ];
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hex::encode(hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn event() -> Event {
        Event {
            run: RunId::new(&Scope::new("platform"), 1, 2),
            number: 1,
            at: Timestamp::from_millis(1),
            kind: EventKind::Started,
            phase: "fetching".into(),
            seq: 0,
            attempt: 0,
            detail: Value::Null,
            previous: GENESIS.into(),
            hash: String::new(),
        }
        .sealed()
    }

    #[test]
    fn a_sealed_event_follows_its_predecessor_and_no_other() {
        assert!(event().follows(GENESIS));
        assert!(!event().follows(&"1".repeat(64)));
    }

    #[test]
    fn a_changed_event_is_found_out() {
        for change in [
            |e: &mut Event| e.phase = "building".into(),
            |e: &mut Event| e.detail = serde_json::json!({"by": "another"}),
            |e: &mut Event| e.number = 2,
            |e: &mut Event| e.kind = EventKind::Failed,
        ] {
            let mut changed = event();
            change(&mut changed);
            assert!(!changed.follows(GENESIS));
        }
    }
}
