//! The container app: what is stored of it, its revisions, and how a beat of time moves them.

use serde_json::Value;
use time::OffsetDateTime;

use super::revision::{READY, Revision};

pub(super) struct ContainerApp {
    /// `location`, `tags`, `identity` and `properties` with `configuration` and `template`; secrets with their values.
    pub(super) body: Value,
    /// In the order of their making.
    pub(super) revisions: Vec<Revision>,
    pub(super) state: &'static str,
    pub(super) created_at: OffsetDateTime,
    pub(super) changed_by: Value,
    /// The traffic rules that are in effect; those in the body may still be on their way.
    pub(super) traffic: Value,
}

/// Single is the default.
pub(super) fn is_single(configuration: &Value) -> bool {
    !configuration["activeRevisionsMode"].as_str().is_some_and(|mode| mode.eq_ignore_ascii_case("Multiple"))
}

impl ContainerApp {
    pub(super) fn configuration(&self) -> &Value {
        &self.body["properties"]["configuration"]
    }

    pub(super) fn template(&self) -> &Value {
        &self.body["properties"]["template"]
    }

    pub(super) fn is_single(&self) -> bool {
        is_single(self.configuration())
    }

    pub(super) fn existing(&self) -> impl DoubleEndedIterator<Item = &Revision> {
        self.revisions.iter().filter(|revision| revision.exists())
    }

    pub(super) fn latest(&self) -> Option<&Revision> {
        self.existing().next_back()
    }

    /// The newest that ever passed readiness.
    pub(super) fn latest_ready(&self) -> Option<&Revision> {
        self.existing().rfind(|revision| revision.ready_at.is_some())
    }

    /// Names are compared without regard to case.
    pub(super) fn revision(&mut self, name: &str) -> Option<&mut Revision> {
        self.revisions.iter_mut().find(|revision| revision.exists() && revision.name.eq_ignore_ascii_case(name))
    }

    /// The percentage of requests that a revision gets. In Single mode rules are ignored.
    pub(super) fn weight(&self, revision: &Revision) -> u64 {
        let newest = self.latest_ready().is_some_and(|ready| ready.name == revision.name);
        if !revision.active {
            return 0;
        }
        if self.is_single() {
            return if newest { 100 } else { 0 };
        }
        let rules = self.traffic.as_array().map_or(&[][..], Vec::as_slice);
        let meant = rules.iter().filter(|rule| match rule["revisionName"].as_str() {
            Some(name) => name.eq_ignore_ascii_case(&revision.name),
            None => newest && rule["latestRevision"] == true,
        });
        meant.filter_map(|rule| rule["weight"].as_u64()).sum()
    }

    /// Nothing will change without a call.
    pub(super) fn is_at_rest(&self) -> bool {
        self.revisions.iter().all(Revision::is_settled) && self.outlived().is_empty()
    }

    pub(super) fn beat(&mut self, at: OffsetDateTime) {
        for revision in &mut self.revisions {
            revision.beat(at);
        }
        for name in self.outlived() {
            if let Some(revision) = self.revision(&name) {
                revision.deactivate(at);
            }
        }
        self.forget();
        self.route(at);
    }

    /// In Single mode: what goes on beside a newer revision that has been serving for a beat.
    fn outlived(&self) -> Vec<String> {
        let serving = self.latest_ready().filter(|ready| self.is_single() && ready.active && ready.age > READY);
        let Some(serving) = serving else { return Vec::new() };
        let older = self.revisions.iter().take_while(|revision| revision.name != serving.name);
        older.filter(|revision| revision.active).map(|revision| revision.name.clone()).collect()
    }

    /// Only so many inactive revisions are kept; the oldest go first.
    fn forget(&mut self) {
        let kept = self.configuration()["maxInactiveRevisions"].as_u64().unwrap_or(100) as usize;
        let inactive = self.revisions.iter().filter(|revision| !revision.active).count();
        let mut surplus = inactive.saturating_sub(kept);
        self.revisions.retain(|revision| {
            let goes = !revision.active && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Remembers since when each revision has had traffic.
    pub(super) fn route(&mut self, at: OffsetDateTime) {
        let weights: Vec<u64> = self.revisions.iter().map(|revision| self.weight(revision)).collect();
        for (revision, weight) in self.revisions.iter_mut().zip(weights) {
            revision.traffic_since = (weight > 0).then(|| revision.traffic_since.unwrap_or(at));
        }
    }

    /// Puts the stored traffic rules into effect.
    pub(super) fn apply_traffic(&mut self, at: OffsetDateTime) {
        self.traffic = self.configuration()["ingress"]["traffic"].clone();
        self.route(at);
    }
}
