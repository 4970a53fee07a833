//! The part of a status that tells whether a call could bring the platform back, and for how long.

use serde::Serialize;

use crate::http::upgrade::going_back::{Kept, Way, way};
use crate::model::{Run, RunId, Timestamp};

/// Without the seconds that are left: they would make every look another one.
#[derive(Serialize)]
pub struct BackView {
    available: bool,
    available_until: Option<Timestamp>,
    /// The upgrade that would be undone.
    job_id: Option<RunId>,
    to_version: Option<String>,
    reason_not_available: Option<String>,
}

#[derive(Serialize)]
pub struct Countdown<'a> {
    #[serde(flatten)]
    back: &'a BackView,
    /// None where nothing runs out.
    seconds_left: Option<u64>,
}

impl BackView {
    pub fn of(latest: Option<&Run>, kept: &Kept, now: Timestamp) -> Self {
        let snapshot = kept.snapshot();
        let (available, until, reason) = match way(latest, kept, now) {
            // For as long as it goes on.
            Ok(Way::Tell(_)) => (true, None, None),
            Ok(Way::Start(snapshot)) => (true, Some(snapshot.available_until), None),
            Err(obstacle) => (false, snapshot.map(|snapshot| snapshot.available_until), Some(obstacle.message())),
        };
        Self {
            available,
            available_until: until,
            job_id: snapshot.map(|snapshot| snapshot.job_id.clone()),
            to_version: snapshot.and_then(|snapshot| snapshot.version.clone()),
            reason_not_available: reason,
        }
    }

    pub fn counted(&self, now: Timestamp) -> Countdown<'_> {
        let left = self.available_until.filter(|_| self.available).map(|until| until.since(now).as_secs());
        Countdown { back: self, seconds_left: left }
    }
}
