//! One look at one build: what the builder says of it, and what it has said since the last look.

use std::time::Duration;

use super::ports::{Images, Progress};
use super::{Build, BuildStatus, build_log, tail};
use crate::engine::PhaseError;
use crate::model::Timestamp;

/// How long, and for how many looks, the rest of the log of a build that has ended is hoped for in vain. Looks count
/// too: time passes while workers die.
struct Patience {
    span: Duration,
    looks: u32,
}

/// A log may lag behind the end of its build.
const SILENCE: Patience = Patience { span: Duration::from_secs(30), looks: 3 };
/// The log cannot be read at all.
const OUTAGE: Patience = Patience { span: Duration::from_secs(5 * 60), looks: 8 };

/// What a look brought beyond the changes to the build itself.
#[derive(Default)]
pub struct Look {
    /// The log that they belong to and lines without their ends.
    pub lines: Vec<(String, String)>,
    /// There is more output than one look takes.
    pub behind: bool,
    pub error: Option<PhaseError>,
}

/// Reads the status before the output: the look that sees the end may then see all of the output too.
/// The status decides; trouble with the log alone holds up nothing.
pub async fn look(images: &dyn Images, now: Timestamp, name: &str, build: &mut Build) -> Look {
    let mut look = Look::default();
    let Some(id) = build.run_id.clone().filter(|_| !build.is_done()) else { return look };
    if !build.status.is_ended() {
        match images.progress(&id).await {
            Ok(progress) => note(build, progress, now),
            Err(error) => look.error = Some(error),
        }
    }
    let patience = match tail::read(images, &id, build).await {
        Ok(news) => {
            if !news.lines.is_empty() {
                (build.heard_at, build.misses) = (Some(now), 0);
            }
            look.behind = news.more;
            look.lines = news.lines.into_iter().map(|line| (build_log(name), line)).collect();
            SILENCE
        }
        Err(error) => {
            tracing::warn!(component = name, %error, "a build's output cannot be read for now");
            OUTAGE
        }
    };
    if look.lines.is_empty() && build.status.is_ended() && !build.log_complete {
        build.misses += 1;
        if build.misses >= patience.looks && build.heard_at.is_some_and(|at| at + patience.span <= now) {
            look.lines.push((build_log(name), "(the rest of this log did not arrive)".to_owned()));
            build.log_complete = true;
        }
    }
    look
}

fn note(build: &mut Build, progress: Progress, now: Timestamp) {
    build.status = match progress {
        Progress::Queued => BuildStatus::Queued,
        Progress::Running => BuildStatus::Running,
        Progress::Succeeded(digest) => {
            build.digest = digest;
            BuildStatus::Succeeded
        }
        Progress::Failed(reason) => {
            build.error = Some(reason);
            BuildStatus::Failed
        }
        Progress::Cancelled => BuildStatus::Cancelled,
    };
    if build.status.is_ended() {
        build.heard_at = Some(now);
    }
}

impl Build {
    /// Ended, and its log is all here.
    pub fn is_done(&self) -> bool {
        self.status.is_ended() && self.log_complete
    }

    /// Ended without an image, with its log here to say why.
    pub fn has_failed(&self) -> bool {
        self.is_done() && self.status != BuildStatus::Succeeded
    }
}
