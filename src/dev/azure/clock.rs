//! The simulator's time: the wall clock, which a test may push forward, and Azure's ways of writing it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

#[derive(Default)]
pub(super) struct Clock {
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(super) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::milliseconds(self.ahead_ms.load(Ordering::Relaxed))
    }

    pub(super) fn skip(&self, span: Duration) {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4);
        self.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) fn reset(&self) {
        self.ahead_ms.store(0, Ordering::Relaxed);
    }
}

fn written(at: OffsetDateTime, format: &[BorrowedFormatItem<'_>]) -> String {
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// `2026-03-24T00:29:09.7921247+00:00`, as the registry writes times of a run.
pub(super) fn precise(at: OffsetDateTime) -> String {
    written(
        at,
        format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7][offset_hour sign:mandatory]:[offset_minute]"
        ),
    )
}

/// `2026-03-24T00:29:09+00:00`, as the registry writes `lastUpdatedTime`.
pub(super) fn to_the_second(at: OffsetDateTime) -> String {
    written(
        at,
        format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]"
        ),
    )
}

/// `2026-03-24T00:29:09Z`, as in a shared access signature.
pub(super) fn zulu(at: OffsetDateTime) -> String {
    written(at, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
}

/// `2026-03-24T00:29:09.7921247`: no zone, as container apps write times of operations and creations.
pub(super) fn zoneless(at: OffsetDateTime) -> String {
    written(at, format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]"))
}

/// `2018-10-05T20:54:24.1286047Z`, as the registry writes times of tags and manifests.
pub(super) fn ticks(at: OffsetDateTime) -> String {
    zoneless(at) + "Z"
}

/// `20260324T002909Z`, as in x-ms-routing-request-id.
pub(super) fn compact(at: OffsetDateTime) -> String {
    written(at, format_description!("[year][month][day]T[hour][minute][second]Z"))
}

/// `Tue, 24 Mar 2026 00:29:09 GMT`
pub(super) fn http_date(at: OffsetDateTime) -> String {
    written(
        at,
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"),
    )
}

/// `2026/03/24 00:29:09`, as at the start of the build agent's own log lines.
pub(super) fn agent(at: OffsetDateTime) -> String {
    written(at, format_description!("[year]/[month]/[day] [hour]:[minute]:[second]"))
}

/// `3/24/2026 12:29:09 AM`, as in Resource Manager's complaint about an expired token.
pub(super) fn american(at: OffsetDateTime) -> String {
    written(
        at,
        format_description!(
            "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute]:[second] [period]"
        ),
    )
}
