//! What an upgrade remembers of the rollout, and of the way back. The names of the fields are read by `http/`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::azure::container_apps::Operation;
use crate::model::Timestamp;

/// How a new version takes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The app replaces its one revision.
    #[default]
    InPlace,
    /// The new revision is proved without traffic, then gets all of it.
    BlueGreen,
    /// The images are all that is wanted.
    BuildOnly,
}

impl Strategy {
    pub const NAMES: [&str; 3] = ["in_place", "blue_green", "build_only"];

    pub fn name(self) -> &'static str {
        match self {
            Self::InPlace => "in_place",
            Self::BlueGreen => "blue_green",
            Self::BuildOnly => "build_only",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::InPlace, Self::BlueGreen, Self::BuildOnly].into_iter().find(|strategy| strategy.name() == name)
    }
}

/// A change of the app on its way. It is committed before it is sent, and known again by what it makes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// From here on it may have taken effect.
    pub sent_at: Option<Timestamp>,
    /// The platform has taken it, or it was seen in the app.
    pub accepted_at: Option<Timestamp>,
    /// It was seen in the app. What is not there any more was undone by somebody else.
    pub seen_at: Option<Timestamp>,
    /// Since when it is not there any more, without a break: one look may be at a copy that lags behind.
    pub missing_since: Option<Timestamp>,
    /// Where the platform tells how far it is, by its newest address.
    pub operation: Option<Operation>,
}

/// The new revision, from before it is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rollout {
    pub strategy: Strategy,
    /// The version that ran before, if its images told.
    #[serde(default)]
    pub from_version: Option<String>,
    pub from_revision: String,
    /// The newest revision that the app had; another one means that somebody else has changed it.
    #[serde(default)]
    pub base_revision: Option<String>,
    pub suffix: String,
    pub revision: String,
    /// The image of each container.
    pub images: BTreeMap<String, String>,
    /// The fewest replicas that the revision is to have.
    #[serde(default)]
    pub min_replicas: u64,
    /// The template's way into the app.
    #[serde(default)]
    pub change: Change,
    /// Since when the revision has looked sick, without a break.
    #[serde(default)]
    pub sick_since: Option<Timestamp>,
    #[serde(default)]
    pub ready_at: Option<Timestamp>,
    /// The traffic's way to the revision.
    #[serde(default)]
    pub flip: Change,
    #[serde(default)]
    pub validation: Option<Validation>,
}

/// What could be found out of a revision before it gets traffic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Validation {
    pub began_at: Timestamp,
    /// Good answers in a row.
    #[serde(default)]
    pub good: u32,
    #[serde(default)]
    pub asked: u32,
    #[serde(default)]
    pub last_answer: Option<String>,
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// Until when a person may decide what the validation could not.
    #[serde(default)]
    pub decide_until: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Successful,
    Failed,
    Inconclusive,
}

/// An upgrade that waits for somebody to agree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approval {
    /// What is to be agreed to.
    pub plan_hash: String,
    pub until: Timestamp,
    #[serde(default)]
    pub approved_by: Option<String>,
    #[serde(default)]
    pub approved_at: Option<Timestamp>,
}

/// The signal that an approval is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ApprovalSignal {
    pub by: String,
    pub plan_hash: String,
    pub at: Timestamp,
}

/// The signal that asks a rollout to go back, or decides what a validation could not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WordSignal {
    pub by: String,
    #[serde(default)]
    pub reason: String,
    /// For a verdict: whether the new revision is to get the traffic.
    #[serde(default)]
    pub go: bool,
    /// By which the caller marks two requests as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub at: Timestamp,
}

/// The way back, from before it is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Return {
    /// The upgrade that is undone.
    pub job_id: String,
    #[serde(default)]
    pub to_version: Option<String>,
    /// The revision that takes over: a new one of the old template, or the old one itself.
    pub revision: String,
    pub suffix: Option<String>,
    pub images: BTreeMap<String, String>,
    /// Somebody else has changed the app since, and that is to stay.
    #[serde(default)]
    pub images_alone: bool,
    #[serde(default)]
    pub min_replicas: u64,
    #[serde(default)]
    pub change: Change,
    #[serde(default)]
    pub sick_since: Option<Timestamp>,
    /// The platform was found as it had been; there was nothing to undo.
    #[serde(default)]
    pub untouched: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_is_known_by_its_name_everywhere() {
        for name in Strategy::NAMES {
            let strategy = Strategy::parse(name).unwrap();
            assert_eq!(strategy.name(), name);
            assert_eq!(serde_json::to_value(strategy).unwrap(), name);
        }
        assert_eq!(Strategy::parse("canary"), None);
    }
}
