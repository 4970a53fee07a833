//! A revision as time passes: beat by beat from nothing to serving, or to what ails it.

use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::ailment::{self, Ailment};
use super::states::{State, grown};
use crate::dev::azure::clock;

/// The beat in which a revision begins to serve.
pub(super) const READY: u32 = 4;
/// From here on beats change nothing.
pub(super) const SETTLED: u32 = 8;

pub(super) struct Revision {
    pub(super) name: String,
    /// As it was stored when the revision was made.
    pub(super) template: Value,
    pub(super) created_at: OffsetDateTime,
    pub(super) active: bool,
    /// Beats since it was made, activated or restarted.
    pub(super) age: u32,
    pub(super) ailments: Vec<Ailment>,
    /// When it first passed readiness.
    pub(super) ready_at: Option<OffsetDateTime>,
    /// Since when it has had traffic without a break.
    pub(super) traffic_since: Option<OffsetDateTime>,
    pub(super) last_active_at: OffsetDateTime,
    /// When its replicas began.
    pub(super) replicas_since: OffsetDateTime,
    /// It was well once and is no longer.
    pub(super) degraded: bool,
}

impl Revision {
    pub(super) fn new(name: String, template: Value, ailments: Vec<Ailment>, now: OffsetDateTime) -> Self {
        Self {
            name,
            template,
            created_at: now,
            active: true,
            age: 0,
            ailments,
            ready_at: None,
            traffic_since: None,
            last_active_at: now,
            replicas_since: now,
            degraded: false,
        }
    }

    /// Known to callers: the operation that makes it has begun to work.
    pub(super) fn exists(&self) -> bool {
        self.age > 0
    }

    /// It was never provisioned.
    pub(super) fn is_refused(&self) -> bool {
        self.ailments.iter().any(|ailment| matches!(ailment, Ailment::Refused { .. }))
    }

    pub(super) fn is_settled(&self) -> bool {
        !self.active || self.age >= SETTLED
    }

    pub(super) fn beat(&mut self, at: OffsetDateTime) {
        if self.is_settled() {
            return;
        }
        self.age += 1;
        self.last_active_at = at;
        if self.age == READY - 1 {
            self.replicas_since = at;
        }
        if self.age >= READY && !ailment::keeps_from_readiness(&self.ailments) {
            self.ready_at.get_or_insert(at);
        }
    }

    /// What depends on the clock rather than on beats.
    pub(super) fn wear(&mut self, now: OffsetDateTime) {
        let due = ailment::degrades_at(&self.ailments, self.ready_at, self.traffic_since);
        self.degraded |= self.active && due.is_some_and(|due| due <= now);
    }

    /// Begins again, unless it is active; `missing` is an image that cannot be pulled.
    pub(super) fn activate(&mut self, now: OffsetDateTime, missing: Option<String>) {
        if !self.active {
            self.active = true;
            self.last_active_at = now;
            self.begin_again(1, missing);
        }
    }

    pub(super) fn deactivate(&mut self, now: OffsetDateTime) {
        self.active = false;
        self.last_active_at = now;
        self.traffic_since = None;
    }

    /// Its containers begin again, from images pulled again; `missing` is one that cannot be.
    pub(super) fn restart(&mut self, now: OffsetDateTime, missing: Option<String>) {
        self.replicas_since = now;
        self.begin_again(READY - 1, missing);
    }

    fn begin_again(&mut self, age: u32, missing: Option<String>) {
        self.age = age;
        self.degraded = false;
        self.ailments.retain(|ailment| !matches!(ailment, Ailment::PullFails { .. }));
        self.ailments.extend(missing.map(|image| Ailment::PullFails { image }));
    }

    /// It takes requests and answers them.
    pub(super) fn is_well(&self) -> bool {
        let unresponsive = self.ailments.contains(&Ailment::Unresponsive);
        let state = self.state();
        state.ready && !unresponsive && state.replicas > 0
    }

    pub(super) fn state(&self) -> State {
        grown(self)
    }

    /// How many replicas its scale wants at least; a revision that takes requests is not scaled to nothing.
    pub(super) fn wanted_replicas(&self) -> u64 {
        self.template["scale"]["minReplicas"].as_u64().unwrap_or(0).max(1)
    }

    pub(super) fn containers(&self) -> &[Value] {
        self.template["containers"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The container that an ailment meant for `part` strikes.
    pub(super) fn struck(&self, part: &str) -> &str {
        let container = self
            .containers()
            .iter()
            .find(|container| container["image"].as_str().is_some_and(|image| image.contains(part)))
            .or_else(|| self.containers().first());
        container.and_then(|container| container["name"].as_str()).unwrap_or_default()
    }

    /// `<revision>-<replica set>-<pod>`; replicas that begin again bear other names.
    pub(super) fn replica_names(&self) -> Vec<String> {
        let of = |text: String| hex::encode(Sha256::digest(text));
        let set = of(self.name.clone());
        let since = clock::precise(self.replicas_since);
        let pods = (0..self.state().replicas).map(|n| of(format!("{}{since}{n}", self.name)));
        pods.map(|pod| format!("{}-{}-{}", self.name, &set[..10], &pod[..5])).collect()
    }
}
