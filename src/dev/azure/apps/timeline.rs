//! How time passes for the app and its operations.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::app::ContainerApp;
use super::operation::{Operation, Problem, Work};
use super::revision::Revision;
use super::revision_view::{self, RevisionRecord};
use super::{seed, view};
use crate::dev::azure::options::{RevisionsMode, SimOptions};
use crate::dev::azure::world::Sim;

/// The app, if it has not been deleted, and every operation on it.
pub(in crate::dev::azure) struct Apps {
    pub(super) app: Option<ContainerApp>,
    pub(super) operations: Vec<Operation>,
    /// What beats are counted from: the last call that set something going.
    since: OffsetDateTime,
    beats: u32,
}

impl Apps {
    pub(in crate::dev::azure) fn new(options: &SimOptions, login_server: &str, now: OffsetDateTime) -> Self {
        let app = Some(seed::app(options, login_server, now));
        Self { app, operations: Vec::new(), since: now, beats: 0 }
    }

    /// Something has been set going at this time.
    pub(super) fn begin(&mut self, now: OffsetDateTime) {
        (self.since, self.beats) = (now, 0);
    }

    /// Lets pass what is due: one beat for each `pace`, or one beat for this look.
    pub(in crate::dev::azure) fn look(&mut self, now: OffsetDateTime, pace: Duration) {
        if pace.is_zero() {
            self.beat(now);
        }
        while !pace.is_zero() && !self.is_at_rest() {
            let next = self.since + pace * (self.beats + 1);
            if next > now {
                break;
            }
            self.beats += 1;
            self.beat(next);
        }
        self.wear(now);
    }

    /// What depends on the clock alone.
    pub(in crate::dev::azure) fn wear(&mut self, now: OffsetDateTime) {
        let revisions = self.app.iter_mut().flat_map(|app| &mut app.revisions);
        revisions.for_each(|revision| revision.wear(now));
    }

    pub(super) fn is_busy(&self) -> bool {
        self.operations.iter().any(|operation| operation.outcome.is_none())
    }

    fn is_at_rest(&self) -> bool {
        !self.is_busy() && self.app.as_ref().is_none_or(ContainerApp::is_at_rest)
    }

    fn beat(&mut self, at: OffsetDateTime) {
        if let Some(app) = &mut self.app {
            app.beat(at);
        }
        let ended: Vec<_> =
            self.operations.iter_mut().filter_map(|operation| operation.beat().then_some(operation)).collect();
        for operation in ended {
            let Some(app) = &mut self.app else { continue };
            if operation.work == Work::Delete {
                self.app = None;
                continue;
            }
            app.state = if operation.outcome == Some(Ok(())) { "Succeeded" } else { "Failed" };
            app.apply_traffic(at);
        }
    }

    /// The app as its owner sees it; null when it is gone.
    pub(in crate::dev::azure) fn told(&self, sim: &Sim) -> Value {
        self.app.as_ref().map_or(Value::Null, |app| view::app(sim, app))
    }

    pub(in crate::dev::azure) fn records(&self) -> Vec<RevisionRecord> {
        self.app.iter().flat_map(|app| app.existing().map(|revision| revision_view::record(app, revision))).collect()
    }

    /// The app vanishes at once, and what was under way fails.
    pub(in crate::dev::azure) fn vanish(&mut self, sim: &Sim) {
        self.app = None;
        let message = format!("The container app '{}' does not exist.", sim.options.container_app);
        for operation in self.operations.iter_mut().filter(|operation| operation.outcome.is_none()) {
            operation.outcome = Some(Err(Problem { code: "ContainerAppNotFound", message: message.clone() }));
        }
    }

    /// As if somebody had changed the mode long ago; the traffic rules stay.
    pub(in crate::dev::azure) fn set_mode(&mut self, mode: RevisionsMode, now: OffsetDateTime) {
        if let Some(app) = &mut self.app {
            app.body["properties"]["configuration"]["activeRevisionsMode"] = json!(mode.name());
            app.route(now);
        }
    }

    /// Whether the app answers a caller of this revision, or of the app itself.
    pub(super) fn answers(&self, name: &str, sim: &Sim) -> bool {
        let Some(app) = &self.app else { return false };
        let serving = |revision: &&Revision| {
            if name.eq_ignore_ascii_case(&sim.options.container_app) {
                app.weight(revision) > 0
            } else {
                revision.name.eq_ignore_ascii_case(name)
            }
        };
        app.existing().filter(serving).any(Revision::is_well)
    }
}
