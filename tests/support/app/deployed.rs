//! The app with its revisions, as strict as the real one: a change is merged, an operation keeps others out, a suffix is
//! used once, and every share of the traffic goes to a revision that is there.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass::azure::container_apps::{ContainerApp, Operation, Poll, RevisionMode, TrafficWeight};
use windlass::engine::PhaseError;
use windlass::model::Timestamp;
use windlass::pipelines::upgrade::ports::Applied;

use super::{APP, AppHabits, Fate, LOCATION, Made};
use crate::support::builder::span;

/// A change that was let in, or one that was made before.
#[derive(Clone, Debug)]
pub struct Change {
    pub at: Timestamp,
    pub suffix: Option<String>,
    /// It asked for what was there already.
    pub again: bool,
}

pub struct Deployed {
    pub(super) random: fastrand::Rng,
    pub mode: RevisionMode,
    /// As stored, its suffix included.
    pub template: Value,
    /// In the order in which they were made.
    pub revisions: Vec<Made>,
    /// Every table that there was, and since when.
    pub traffic: Vec<(Timestamp, Vec<TrafficWeight>)>,
    /// When each operation ends, and whether well.
    operations: Vec<(Timestamp, bool)>,
    pub changes: Vec<Change>,
    /// What nobody may ever ask of an app.
    pub breaches: Vec<String>,
}

fn refused(what: &str) -> Applied {
    let message = format!("the app refuses {what}; send another change");
    Applied::Refused(PhaseError::fatal("app_change_refused", message))
}

/// A JSON merge patch: objects are merged, arrays replaced whole, nulls delete.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let fields = into.as_object_mut().expect("an object");
    for (name, value) in patch {
        match value {
            Value::Null => drop(fields.remove(name)),
            value => merge(fields.entry(name).or_insert(Value::Null), value),
        }
    }
}

impl Deployed {
    pub(super) fn new(habits: &AppHabits, first: Made, now: Timestamp) -> Self {
        let all = TrafficWeight { latest_revision: true, weight: 100, ..TrafficWeight::default() };
        Self {
            random: fastrand::Rng::with_seed(habits.seed ^ 0xa99),
            mode: habits.mode,
            template: first.template.clone(),
            revisions: vec![first],
            traffic: vec![(now, vec![all])],
            operations: Vec::new(),
            changes: Vec::new(),
            breaches: Vec::new(),
        }
    }

    pub fn made(&self, name: &str) -> Option<&Made> {
        self.revisions.iter().find(|made| made.name == name)
    }

    pub(super) fn visible(&self, name: &str, now: Timestamp) -> Option<&Made> {
        self.made(name).filter(|made| now >= made.appears_at)
    }

    fn latest_ready(&self, now: Timestamp) -> Option<&Made> {
        self.revisions.iter().rev().find(|made| made.was_ready(now))
    }

    fn table(&self, now: Timestamp) -> &[TrafficWeight] {
        self.traffic.iter().rev().find(|(since, _)| *since <= now).map_or(&[], |(_, table)| table)
    }

    /// What users reach at that time, with each one's share.
    pub fn serving(&self, at: Timestamp) -> Vec<(&Made, u32)> {
        if self.mode == RevisionMode::Single {
            return self.latest_ready(at).map(|made| (made, 100)).into_iter().collect();
        }
        let weighted = self.table(at).iter().filter(|entry| entry.weight > 0);
        let made = |entry: &TrafficWeight| match &entry.revision_name {
            Some(name) => self.made(name),
            None => self.latest_ready(at),
        };
        weighted.filter_map(|entry| made(entry).map(|made| (made, entry.weight))).collect()
    }

    /// Of an app in single revision mode: what serves, and what is to serve.
    pub(super) fn is_active(&self, name: &str, now: Timestamp) -> bool {
        let place = |name: &str| self.revisions.iter().position(|made| made.name == name);
        let serving = self.latest_ready(now).and_then(|made| place(&made.name));
        self.mode == RevisionMode::Multiple || place(name) >= serving
    }

    pub(super) fn weight(&self, name: &str, now: Timestamp) -> u32 {
        self.serving(now).iter().filter(|(made, _)| made.name == name).map(|(_, weight)| weight).sum()
    }

    fn goes_on(&self, now: Timestamp) -> bool {
        self.operations.last().is_some_and(|(ends_at, _)| now < *ends_at)
    }

    pub(super) fn resource(&self, now: Timestamp) -> ContainerApp {
        let latest = self.revisions.iter().rev().find(|made| now >= made.appears_at).map(|made| &made.name);
        let state = match self.operations.last() {
            Some((ends_at, _)) if now < *ends_at => "InProgress",
            Some((_, false)) => "Failed",
            _ => "Succeeded",
        };
        let mode = if self.mode == RevisionMode::Single { "Single" } else { "Multiple" };
        let resource = json!({"id": format!("/subscriptions/s/resourceGroups/g/providers/x/containerapps/{APP}"),
            "name": APP, "location": LOCATION, "properties": {
                "provisioningState": state, "latestRevisionName": latest,
                "latestReadyRevisionName": self.latest_ready(now).map(|made| &made.name),
                "configuration": {"activeRevisionsMode": mode, "secrets": [{"name": "key"}],
                    "ingress": {"fqdn": "platform.example.net", "traffic": self.table(now)}},
                "template": self.template,
        }});
        serde_json::from_value(resource).expect("an app")
    }

    /// `None` for an operation that is not one of its own.
    pub(super) fn operation(&self, at: &Operation, now: Timestamp) -> Option<Poll> {
        let (Operation::AsyncOperation(address) | Operation::Location(address)) = at;
        let number: usize = address.split('?').next().and_then(|id| id.parse().ok())?;
        Some(match self.operations[number] {
            (ends_at, _) if now < ends_at => Poll::Running { operation: address_of(number, now), after: None },
            (_, true) => Poll::Succeeded,
            (_, false) => Poll::Failed { code: "RevisionFailed".into(), message: "the image cannot be pulled".into() },
        })
    }

    /// `pull` tells what an image's name stands for, if the registry has it.
    pub(super) fn update(
        &mut self,
        change: &Value,
        habits: &AppHabits,
        now: Timestamp,
        pull: impl Fn(&str) -> Option<String>,
    ) -> Result<Applied, PhaseError> {
        if change["location"] != LOCATION || change.pointer("/properties/configuration/secrets").is_some() {
            self.breaches.push(format!("a change without the app's place, or with secrets: {change}"));
        }
        if self.goes_on(now) {
            return Err(PhaseError::retryable("app_busy", "another operation on the app goes on; try again"));
        }
        let mut template = self.template.clone();
        if let Some(patch) = change.pointer("/properties/template") {
            merge(&mut template, patch);
        }
        let renewed = template != self.template;
        let suffix = template["revisionSuffix"].as_str().unwrap_or_default().to_owned();
        let name = format!("{APP}--{suffix}");
        if renewed && self.made(&name).is_some() {
            self.changes.push(Change { at: now, suffix: Some(suffix), again: true });
            return Ok(Applied::Done);
        }
        if renewed && (suffix.is_empty() || name.len() > 54) {
            return Ok(refused("that suffix"));
        }
        let table = change.pointer("/properties/configuration/ingress/traffic");
        let table: Option<Vec<TrafficWeight>> = table.map(|table| serde_json::from_value(table.clone()).expect("rows"));
        if let Some(wrong) = table.as_ref().and_then(|table| self.wrong_with(table)) {
            self.breaches.push(wrong.clone());
            return Ok(refused(&wrong));
        }
        let again = !renewed && table.as_deref().is_none_or(|table| table == self.table(now));
        self.changes.push(Change { at: now, suffix: renewed.then(|| suffix.clone()), again });
        let takes = span(&mut self.random, habits.operation);
        let mut well = true;
        if renewed {
            self.template = template;
            let made = self.revision(name, suffix, habits, now, pull);
            well = made.fate != Fate::Unprovisioned;
            self.revisions.push(made);
        }
        if let Some(table) = table {
            for entry in table.iter().filter(|entry| entry.weight > 0) {
                let made = self.revisions.iter_mut().find(|made| Some(&made.name) == entry.revision_name.as_ref());
                made.map(|made| made.traffic_since.get_or_insert(now));
            }
            self.traffic.push((now, table));
        }
        self.operations.push((now + takes, well));
        let told = self.random.u32(..1000) >= habits.untold;
        Ok(if told { Applied::Begun(address_of(self.operations.len() - 1, now)) } else { Applied::Done })
    }

    fn wrong_with(&self, table: &[TrafficWeight]) -> Option<String> {
        let total: u32 = table.iter().map(|entry| entry.weight).sum();
        let there = |entry: &TrafficWeight| match &entry.revision_name {
            Some(name) => {
                let made = self.made(name);
                !entry.latest_revision && made.is_some_and(|made| entry.weight == 0 || !made.stopped)
            }
            None => entry.latest_revision,
        };
        (total != 100 || !table.iter().all(there)).then(|| format!("traffic that goes nowhere: {table:?}"))
    }

    fn revision(
        &mut self,
        name: String,
        suffix: String,
        habits: &AppHabits,
        now: Timestamp,
        pull: impl Fn(&str) -> Option<String>,
    ) -> Made {
        let mut runs = BTreeMap::new();
        let mut complete = true;
        for container in
            ["containers", "initContainers"].iter().filter_map(|list| self.template[*list].as_array()).flatten()
        {
            let text = |field: &str| container[field].as_str().unwrap_or_default().to_owned();
            let pulled = pull(&text("image"));
            complete &= pulled.is_some();
            runs.insert(text("name"), pulled.unwrap_or_default());
        }
        let back = suffix.ends_with("-back");
        let fate = match () {
            () if !complete => Fate::Unprovisioned,
            () if back && self.random.u32(..1000) >= habits.relapsing => Fate::Well,
            () if back => Fate::Crashes,
            () => habits.fates[self.random.usize(..habits.fates.len())],
        };
        let appears_at = now + span(&mut self.random, habits.operation / 2);
        let settles_at = appears_at + span(&mut self.random, habits.ready);
        let stands = span(&mut self.random, habits.stands);
        let traffic_since = (self.mode == RevisionMode::Single).then_some(settles_at);
        let template = self.template.clone();
        Made {
            name,
            suffix,
            template,
            runs,
            fate,
            made_at: now,
            appears_at,
            settles_at,
            settled_at: None,
            stopped: false,
            traffic_since,
            stands,
        }
    }

    pub(super) fn stop(&mut self, name: &str, now: Timestamp) -> Result<(), PhaseError> {
        if self.weight(name, now) > 0 {
            self.breaches.push(format!("{name} is stopped under traffic"));
        }
        let made = self.revisions.iter_mut().find(|made| made.name == name);
        made.ok_or_else(|| PhaseError::fatal("app_not_found", "there is no such revision; look for another"))?
            .stopped = true;
        Ok(())
    }

    pub(super) fn start(&mut self, name: &str, habits: &AppHabits, now: Timestamp) -> Result<(), PhaseError> {
        let takes = span(&mut self.random, habits.ready);
        let made = self.revisions.iter_mut().find(|made| made.name == name);
        let made =
            made.ok_or_else(|| PhaseError::fatal("app_not_found", "there is no such revision; look for another"))?;
        if made.stopped {
            made.settled_at.get_or_insert(made.settles_at);
            (made.stopped, made.appears_at, made.settles_at) = (false, now, now + takes);
        }
        Ok(())
    }

    /// Somebody tidies up: whatever has no traffic is stopped.
    pub fn stop_idle(&mut self, now: Timestamp) {
        let multiple = self.mode == RevisionMode::Multiple;
        let names = self.revisions.iter().map(|made| made.name.clone());
        let idle: Vec<String> = names.filter(|name| multiple && self.weight(name, now) == 0).collect();
        for name in idle {
            drop(self.stop(&name, now));
        }
    }
}

fn address_of(number: usize, now: Timestamp) -> Operation {
    Operation::AsyncOperation(format!("{number}?t={}", now.as_millis()))
}
