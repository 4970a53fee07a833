//! A run as time passes: it plays its plan beat by beat, and its log follows.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::clock;
use super::plan::{Beat, OutputImage, Status};
use super::schedule::BuildRequest;
use super::transcript::Line;

pub(super) struct Run {
    pub(super) id: String,
    pub(super) request: BuildRequest,
    /// `systemData`
    pub(super) changed_by: Value,
    pub(super) created_at: OffsetDateTime,
    pub(super) started_at: Option<OffsetDateTime>,
    pub(super) finished_at: Option<OffsetDateTime>,
    pub(super) updated_at: OffsetDateTime,
    pub(super) status: Status,
    pub(super) error: Option<String>,
    pub(super) outputs: Vec<OutputImage>,
    ahead: VecDeque<Beat>,
    /// No agent ever comes.
    stuck: bool,
    cancelled: bool,
    ticks: u32,
    /// How many beats the log is behind.
    lag: usize,
    beats_since_end: usize,
    log: Vec<u8>,
    /// The length of the log after each beat that wrote to it.
    marks: Vec<usize>,
}

/// The log blob as it may be read now.
pub(super) struct VisibleLog<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) blocks: usize,
    pub(super) completion: Option<&'static str>,
}

/// How a run is slowed down.
#[derive(Clone, Copy, Default)]
pub(super) struct Hindrance {
    pub(super) stuck: bool,
    pub(super) lag: usize,
}

impl Run {
    pub(super) fn new(
        id: String,
        request: BuildRequest,
        changed_by: Value,
        now: OffsetDateTime,
        plan: Vec<Beat>,
        hindrance: Hindrance,
    ) -> Self {
        Self {
            id,
            request,
            changed_by,
            created_at: now,
            started_at: None,
            finished_at: None,
            updated_at: now,
            status: Status::Queued,
            error: None,
            outputs: Vec::new(),
            ahead: plan.into(),
            stuck: hindrance.stuck,
            cancelled: false,
            ticks: 0,
            lag: hindrance.lag,
            beats_since_end: 0,
            log: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Lets pass what is due: one beat for each `pace` since the start, or one beat for this look.
    pub(super) fn look(&mut self, now: OffsetDateTime, pace: Duration) {
        if pace.is_zero() {
            self.beat(now);
            return;
        }
        while !self.is_at_rest() {
            let next = self.created_at + pace * (self.ticks + 1);
            if next > now {
                break;
            }
            self.ticks += 1;
            self.beat(next);
        }
    }

    /// Asks the run to stop; it is too late when it has ended.
    pub(super) fn cancel(&mut self) -> bool {
        self.cancelled |= !self.status.is_terminal();
        !self.status.is_terminal()
    }

    /// `None` until an agent has written something that can be seen.
    pub(super) fn visible_log(&self) -> Option<VisibleLog<'_>> {
        let behind = self.lag.saturating_sub(self.beats_since_end);
        let blocks = self.marks.len().saturating_sub(behind);
        let end = *self.marks.get(blocks.checked_sub(1)?)?;
        let completion = if behind == 0 { self.status.completion() } else { None };
        Some(VisibleLog { bytes: self.log.get(..end)?, blocks, completion })
    }

    /// `repository@digest` of everything that was pushed, joined by commas.
    pub(super) fn manifests(&self) -> String {
        let manifests: Vec<_> =
            self.outputs.iter().map(|image| format!("{}@{}", image.repository, image.digest)).collect();
        manifests.join(",")
    }

    fn is_at_rest(&self) -> bool {
        self.status.is_terminal() && self.beats_since_end >= self.lag
    }

    fn beat(&mut self, at: OffsetDateTime) {
        if self.status.is_terminal() {
            self.beats_since_end += 1;
            return;
        }
        let ending = self.ahead.front().is_some_and(|beat| beat.status.is_terminal());
        if self.cancelled && !ending {
            self.end(Status::Canceled, at);
            return;
        }
        let limit = time::Duration::seconds(self.request.timeout_s);
        if self.started_at.is_some_and(|started| at - started > limit) {
            self.error = Some("failed during run, err: context deadline exceeded".into());
            self.end(Status::Timeout, at);
            return;
        }
        if self.stuck {
            return;
        }
        let Some(beat) = self.ahead.pop_front() else { return };
        self.write(&beat.lines, at);
        self.started_at.get_or_insert(at);
        self.updated_at = at;
        self.error = beat.error;
        self.outputs = beat.outputs;
        if beat.status.is_terminal() {
            self.end(beat.status, at);
        } else {
            self.status = beat.status;
        }
    }

    fn end(&mut self, status: Status, at: OffsetDateTime) {
        self.status = status;
        self.updated_at = at;
        self.finished_at = Some(at);
        self.ahead.clear();
    }

    fn write(&mut self, lines: &[Line], at: OffsetDateTime) {
        for line in lines {
            let text = match line {
                Line::Plain(text) => text.clone(),
                Line::Stamped(text) => format!("{} {text}", clock::agent(at)),
                Line::Elapsed(text) => text.replace("{}", &span(at - self.created_at)),
            };
            self.log.extend_from_slice(text.as_bytes());
            self.log.extend_from_slice(b"\r\n");
        }
        self.marks.push(self.log.len());
    }
}

/// `49s`, `3m57s`
fn span(span: time::Duration) -> String {
    match (span.whole_minutes(), span.whole_seconds() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}
