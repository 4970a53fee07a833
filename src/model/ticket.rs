//! The queue message that lets a phase run.

use serde::{Deserialize, Serialize};

use super::RunId;

/// Sent as a JSON object. No field bears a name that the Functions host uses in an invocation's metadata
/// (`Id`, `DequeueCount`, `sys`, …), because the host would overwrite its own values with ours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    pub run: RunId,
    pub phase: String,
    pub seq: u64,
}

impl Ticket {
    pub fn to_json(&self) -> String {
        format!(r#"{{"run":"{}","phase":"{}","seq":{}}}"#, self.run, self.phase, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    #[test]
    fn a_ticket_reads_back_what_it_wrote() {
        let ticket = Ticket { run: RunId::new(&Scope::new("platform"), 1, 2), phase: "fetching".into(), seq: 3 };
        assert_eq!(serde_json::from_str::<Ticket>(&ticket.to_json()).ok(), Some(ticket));
    }
}
