//! One revision: what becomes of it by the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use windlass::azure::container_apps::{Replica, Revision};
use windlass::model::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Well,
    /// The platform cannot provision it.
    Unprovisioned,
    Crashes,
    /// It is provisioned, and that is all.
    NeverReady,
    /// It runs and has no replica.
    Empty,
    /// It runs, and answers badly.
    Unready,
    /// It runs, and does not answer.
    Mute,
    /// It is well until it has had traffic for a while.
    Degrades,
}

#[derive(Clone, Debug)]
pub struct Made {
    pub name: String,
    pub suffix: String,
    pub template: Value,
    /// By container: the image that its name stood for when it was pulled, as `<repository>:<tag>`.
    pub runs: BTreeMap<String, String>,
    pub fate: Fate,
    pub made_at: Timestamp,
    /// When the app begins to tell of it.
    pub(super) appears_at: Timestamp,
    /// When it is ready if it ever is, sick if it is not.
    pub(super) settles_at: Timestamp,
    /// When it settled first, if somebody has stopped and started it since.
    pub(super) settled_at: Option<Timestamp>,
    /// Whether somebody has stopped it.
    pub stopped: bool,
    pub(super) traffic_since: Option<Timestamp>,
    /// How long it stands traffic if it does not for ever.
    pub(super) stands: Duration,
}

impl Made {
    /// Whether it was ready at one time.
    pub fn was_ready(&self, now: Timestamp) -> bool {
        now >= self.settled_at.unwrap_or(self.settles_at)
            && matches!(self.fate, Fate::Well | Fate::Unready | Fate::Mute | Fate::Degrades)
    }

    fn has_degraded(&self, now: Timestamp) -> bool {
        self.fate == Fate::Degrades && self.traffic_since.is_some_and(|since| now >= since + self.stands)
    }

    /// Provisioning state, running state, health state, replicas.
    fn words(&self, now: Timestamp) -> (&'static str, &'static str, &'static str, u32) {
        let halfway = self.appears_at + self.settles_at.since(self.appears_at) / 2;
        match self.fate {
            _ if self.stopped => ("Provisioned", "Stopped", "None", 0),
            _ if now < halfway => ("Provisioning", "Processing", "None", 0),
            _ if now < self.settles_at => ("Provisioned", "Activating", "None", 1),
            Fate::Unprovisioned => ("Failed", "Failed", "Unhealthy", 0),
            Fate::Crashes => ("Provisioned", "Failed", "Unhealthy", 1),
            Fate::NeverReady => ("Provisioned", "Activating", "None", 1),
            Fate::Empty => ("Provisioned", "Running", "Healthy", 0),
            _ if self.has_degraded(now) => ("Provisioned", "Degraded", "Unhealthy", 1),
            _ => ("Provisioned", "RunningAtMaxScale", "Healthy", 1),
        }
    }

    pub(super) fn resource(&self, now: Timestamp, active: bool, weight: u32) -> Revision {
        let (provisioning, running, health, replicas) = self.words(now);
        let resource = json!({"name": self.name, "properties": {
            "active": active && !self.stopped, "trafficWeight": weight, "template": self.template,
            "fqdn": format!("{}.example.net", self.name), "provisioningState": provisioning,
            "runningState": running, "healthState": health, "replicas": replicas, "provisioningError": null,
        }});
        serde_json::from_value(resource).expect("a revision")
    }

    pub(super) fn replicas(&self, now: Timestamp) -> Vec<Replica> {
        let (.., health, replicas) = self.words(now);
        let one = json!({"name": format!("{}-0", self.name), "properties": {"containers": [{
            "name": "api", "ready": health == "Healthy", "restartCount": 3, "runningStateDetails": "CrashLoopBackOff",
        }]}});
        (0..replicas).map(|_| serde_json::from_value(one.clone()).expect("a replica")).collect()
    }
}
