//! One timer function: when it fires, and what it remembers of that from one start of the host to the next.
//!
//! The memory (`ScheduleStatus`) is kept for schedules of a minute and more, in `<timers>/Host.Functions.<name>/status`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::envelope;
use super::functions::{Function, Schedule, TimerTrigger};
use super::invoker::Invoker;
use super::moment::{self, NEVER};
use super::ordered::Json;

/// Clocks are set and machines sleep: a long wait looks at the time again this often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

pub struct Timer {
    pub function: Arc<Function>,
    pub trigger: TimerTrigger,
    pub folder: PathBuf,
    pub invoker: Arc<Invoker>,
    pub closing: CancellationToken,
    /// One invocation at a time.
    pub turn: Mutex<()>,
}

/// None means never.
#[derive(Clone, PartialEq, Debug, Default)]
struct Status {
    last: Option<OffsetDateTime>,
    next: Option<OffsetDateTime>,
    updated: Option<OffsetDateTime>,
}

impl Status {
    fn json(&self) -> Json {
        let text = |at: Option<OffsetDateTime>| Json::from(at.map_or_else(|| NEVER.to_owned(), moment::offset));
        Json::object([("Last", text(self.last)), ("Next", text(self.next)), ("LastUpdated", text(self.updated))])
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let json = Json::parse(text).ok()?;
        let at = |name: &str| json.get(name).and_then(Json::as_text).and_then(moment::parse);
        Some(Self { last: at("Last"), next: at("Next"), updated: at("LastUpdated") })
    }
}

impl TimerTrigger {
    fn after(&self, at: OffsetDateTime) -> Option<OffsetDateTime> {
        match &self.schedule {
            Schedule::Cron(cron) => cron.after(at),
            Schedule::Every(span) => Some(at + *span),
        }
    }

    /// Whether the schedule is remembered: not when two occurrences are less than a minute apart.
    fn is_monitored(&self, now: OffsetDateTime) -> bool {
        let mut at = now;
        self.use_monitor
            && (0..5).all(|_| match (self.after(at), self.after(at).and_then(|next| self.after(next))) {
                (Some(next), Some(following)) => {
                    at = next;
                    following - next >= time::Duration::MINUTE
                }
                _ => true,
            })
    }
}

impl Timer {
    pub async fn run(self: Arc<Self>) {
        let now = moment::now();
        let mut status = if self.trigger.is_monitored(now) { Some(self.recall(now).await) } else { None };
        let missed = status.as_ref().is_some_and(|(_, past_due)| *past_due);
        let mut memory = status.take().map(|(status, _)| status);
        if missed || self.trigger.run_on_startup {
            self.fire(now, missed, &mut memory, None).await;
        }
        while let Some(next) = self.trigger.after(moment::now()) {
            loop {
                let left = moment::until(next);
                if left.is_zero() {
                    break;
                }
                let wait = tokio::time::sleep(left.min(LOOK_AGAIN));
                if self.closing.run_until_cancelled(wait).await.is_none() {
                    return;
                }
            }
            self.fire(moment::now(), false, &mut memory, Some(next)).await;
        }
    }

    /// What was remembered, put right if the schedule has changed since, and whether an occurrence was missed.
    async fn recall(&self, now: OffsetDateTime) -> (Status, bool) {
        let next = |at| self.trigger.after(at);
        let stored = tokio::fs::read(self.path()).await.ok().and_then(|text| Status::parse(&text));
        let Some(mut status) = stored else {
            let fresh = Status { last: None, next: next(now), updated: None };
            self.remember(&Status { updated: Some(now), ..fresh.clone() }).await;
            return (fresh, false);
        };
        let mut expected = next(status.last.or(status.updated).unwrap_or(now));
        if status.next != expected {
            if expected.is_some_and(|expected| now > expected) {
                expected = next(now);
                status.updated = Some(now);
            }
            status.last = None;
            status.next = expected;
            self.remember(&status).await;
        }
        let missed = status.next.is_some_and(|next| now > next);
        (status, missed)
    }

    async fn fire(
        &self,
        now: OffsetDateTime,
        past_due: bool,
        memory: &mut Option<Status>,
        scheduled: Option<OffsetDateTime>,
    ) {
        self.invoke(memory.as_ref(), past_due).await;
        if let Some(status) = memory {
            // A clock that runs behind must not make the same occurrence due twice.
            let at = scheduled.map_or(now, |scheduled| scheduled.max(now));
            *status = Status { last: Some(at), next: self.trigger.after(at), updated: Some(at) };
            self.remember(status).await;
        }
    }

    async fn invoke(&self, memory: Option<&Status>, past_due: bool) {
        let _turn = self.turn.lock().await;
        let adjusts = matches!(self.trigger.schedule, Schedule::Cron(_));
        let status = memory.map_or(Json::Null, Status::json);
        let body = envelope::timer(&self.function.name, &self.function.binding, adjusts, status, past_due);
        if let Err(why) = self.invoker.invoke(&self.function, &body).await {
            self.invoker.voice.complain(&format!("function '{}' {why}", self.function.name));
        }
    }

    /// Fires once, out of turn and without a trace in the memory (`POST /admin/functions/<name>`).
    pub async fn fire_by_hand(&self) {
        let memory = tokio::fs::read(self.path()).await.ok().and_then(|text| Status::parse(&text));
        self.invoke(memory.filter(|_| self.trigger.is_monitored(moment::now())).as_ref(), false).await;
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("Host.Functions.{}", self.function.name)).join("status")
    }

    async fn remember(&self, status: &Status) {
        if let Err(error) = write_whole(&self.path(), &status.json().to_string()).await {
            let path = self.path();
            self.invoker.voice.complain(&format!(
                "function '{}': cannot write {}: {error}; a missed occurrence will not be noticed",
                self.function.name,
                path.display()
            ));
        }
    }
}

/// Writes a file so that a reader sees the old content or the new one, never a part.
async fn write_whole(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let draft = path.with_extension("new");
    tokio::fs::write(&draft, text).await?;
    tokio::fs::rename(&draft, path).await
}
