//! One build: what becomes of it, and what it says on the way.

use std::time::Duration;

use windlass::model::{Timestamp, redact};
use windlass::pipelines::upgrade::ports::{BuildOrder, Progress};

use super::Habits;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Succeeds,
    Fails,
    /// No agent ever comes.
    Stuck,
}

#[derive(Clone, Debug)]
pub struct Build {
    pub order: BuildOrder,
    pub scheduled_at: Timestamp,
    fate: Fate,
    begins_at: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) lag: Duration,
    /// When each piece of the output is written.
    pieces: Vec<(Timestamp, Vec<u8>)>,
    pub cancelled_at: Option<Timestamp>,
}

impl Build {
    /// When it ends, as far as anybody can tell now.
    fn end(&self) -> Option<Timestamp> {
        let natural = (self.fate != Fate::Stuck).then_some(self.ends_at);
        match self.cancelled_at {
            Some(at) if natural.is_none_or(|natural| at < natural) => Some(at),
            _ => natural,
        }
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.end().is_none_or(|end| end > now)
    }

    pub(super) fn progress(&self, now: Timestamp, id: &str) -> Progress {
        if self.is_live(now) {
            let begun = self.fate != Fate::Stuck && self.begins_at <= now;
            return if begun { Progress::Running } else { Progress::Queued };
        }
        match self.fate {
            Fate::Succeeds if self.end() == Some(self.ends_at) => Progress::Succeeded(Some(digest(id))),
            Fate::Fails if self.end() == Some(self.ends_at) => Progress::Failed("exit status 1".to_owned()),
            _ => Progress::Cancelled,
        }
    }

    /// What is written by then. Nobody gets a log without an agent.
    pub(super) fn output(&self, now: Timestamp) -> Vec<u8> {
        let until = self.end().map_or(now, |end| end.min(now));
        let written = self.pieces.iter().filter(|(at, _)| self.fate != Fate::Stuck && *at <= until);
        written.flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    /// Whether all of its output is written by then.
    pub(super) fn has_said_all(&self, now: Timestamp) -> bool {
        self.fate != Fate::Stuck && !self.is_live(now)
    }

    /// What its log is when all of it is there.
    pub fn whole_log(&self) -> String {
        let output = self.output(Timestamp::from_millis(i64::MAX));
        let text = String::from_utf8_lossy(&output);
        text.split_terminator('\n').map(|line| redact(line.trim_end_matches('\r')) + "\n").collect()
    }
}

pub fn digest(id: &str) -> String {
    format!("sha256:{id}")
}

pub fn span(random: &mut fastrand::Rng, longest: Duration) -> Duration {
    Duration::from_millis(random.u64(..=u64::try_from(longest.as_millis()).expect("a short span")))
}

/// Lines of all kinds: steps, secrets, other alphabets, ends of both kinds, and no end at all.
fn said(random: &mut fastrand::Rng, most: usize) -> Vec<u8> {
    let lines = random.usize(1..=most);
    let mut text = String::new();
    for line in 1..=lines {
        let end = if random.bool() { "\r\n" } else { "\n" };
        let words = match random.usize(..6) {
            0 | 1 => format!("Step {line}/{lines} : RUN make part-{line}"),
            2 => format!("NPM_TOKEN=pl4nted-s3cret-{line}"),
            3 => format!("größer als {line} … 🐚"),
            4 => String::new(),
            _ => "x".repeat(random.usize(..300)),
        };
        text.push_str(&words);
        text.push_str(if line == lines && random.usize(..4) == 0 { "" } else { end });
    }
    text.into_bytes()
}

/// Cuts the bytes anywhere, and spreads the pieces over the time.
fn pieces(
    random: &mut fastrand::Rng,
    mut bytes: &[u8],
    from: Timestamp,
    length: Duration,
) -> Vec<(Timestamp, Vec<u8>)> {
    let mut pieces = Vec::new();
    let mut at = from;
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(random.usize(1..=bytes.len()));
        at = (at + span(random, length / 4)).min(from + length);
        pieces.push((at, piece.to_vec()));
        bytes = rest;
    }
    pieces
}

pub(super) fn planned(random: &mut fastrand::Rng, habits: &Habits, order: &BuildOrder, now: Timestamp) -> Build {
    let broken = habits.broken.is_some_and(|name| order.image.starts_with(&format!("elb-{name}:")));
    let fate = match random.u32(..1000) {
        _ if broken => Fate::Fails,
        roll if roll < habits.failing => Fate::Fails,
        roll if roll < habits.failing + habits.stuck => Fate::Stuck,
        _ => Fate::Succeeds,
    };
    let begins_at = now + span(random, habits.queue);
    let length = span(random, habits.build);
    let output = said(random, habits.lines);
    Build {
        order: order.clone(),
        scheduled_at: now,
        fate,
        begins_at,
        ends_at: begins_at + length,
        lag: span(random, habits.lag),
        pieces: pieces(random, &output, begins_at, length),
        cancelled_at: None,
    }
}
