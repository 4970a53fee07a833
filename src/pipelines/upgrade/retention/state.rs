//! What a run of retention is asked, remembers and puts out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::select::Selection;
use crate::azure::images::Tag;
use crate::model::Failure;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RetentionInput {
    /// `2026-11-26`, in UTC.
    pub date: String,
    /// The images of the newest upgrade that succeeded: `<repository>:<tag>` and `<repository>@<digest>`.
    #[serde(default)]
    pub newest: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionState {
    pub repositories: BTreeMap<String, Repository>,
    pub revisions: Revisions,
}

/// One component's repository.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Repository {
    pub kept: Vec<String>,
    /// Those of them that stay whatever their age.
    pub protected: Vec<String>,
    /// Every tag that was to go, from before it went.
    pub condemned: BTreeSet<String>,
    /// Those of them that no upgrade came of.
    pub orphans: BTreeSet<String>,
    /// Those of them that were seen to be gone.
    pub deleted: Vec<String>,
    pub trouble: Trouble,
    pub settled: bool,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Revisions {
    pub deactivated: BTreeSet<String>,
    /// How often the app was told how many revisions it is to keep.
    pub asked: u32,
    pub trouble: Trouble,
    pub settled: bool,
}

/// What keeps something from being done.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trouble {
    /// Deliveries in a row in which it was in the way.
    pub misses: u32,
    /// Why it is not tried again today.
    pub failure: Option<Failure>,
}

impl Repository {
    /// What the list says now.
    pub fn note(&mut self, selection: &Selection, tags: &[Tag]) {
        self.kept.clone_from(&selection.kept);
        self.protected.clone_from(&selection.protected);
        let gone = |name: &&String| !tags.iter().any(|tag| tag.name == **name);
        self.deleted = self.condemned.iter().filter(gone).cloned().collect();
    }
}

impl RetentionState {
    pub fn is_settled(&self) -> bool {
        self.revisions.settled && self.repositories.values().all(|repository| repository.settled)
    }

    pub fn has_failed(&self) -> bool {
        let mut troubles = self.repositories.values().map(|repository| &repository.trouble);
        self.revisions.trouble.failure.is_some() || troubles.any(|trouble| trouble.failure.is_some())
    }

    pub fn output(&self) -> Value {
        let repository = |repository: &Repository| {
            let orphans: Vec<_> = repository.deleted.iter().filter(|tag| repository.orphans.contains(*tag)).collect();
            json!({
                "kept": repository.kept,
                "protected": repository.protected,
                "deleted": repository.deleted,
                "orphans": orphans,
                "error": repository.trouble.failure,
            })
        };
        let repositories: BTreeMap<_, _> =
            self.repositories.iter().map(|(name, told)| (name, repository(told))).collect();
        json!({
            "repositories": repositories,
            "revisions": {"deactivated": self.revisions.deactivated, "error": self.revisions.trouble.failure},
        })
    }
}
