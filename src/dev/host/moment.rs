//! Points in time in the forms in which the measured host writes them.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::model::Timestamp;

/// Now, to 100 ns, the finest that the measured host tells.
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.nanosecond() / 100 * 100).unwrap_or(now)
}

/// `2026-11-21T01:42:15.1623154`, the fraction without trailing zeros and absent when zero.
fn civil(at: OffsetDateTime) -> String {
    let seconds = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    let ticks = at.nanosecond() / 100;
    if ticks == 0 {
        return seconds;
    }
    format!("{seconds}.{}", format!("{ticks:07}").trim_end_matches('0'))
}

/// With a `Z`, as in `sys.UtcNow`.
pub fn zulu(at: OffsetDateTime) -> String {
    civil(at) + "Z"
}

/// With `+00:00`, as everywhere else.
pub fn offset(at: OffsetDateTime) -> String {
    civil(at) + "+00:00"
}

/// The time that means "never".
pub const NEVER: &str = "0001-01-01T00:00:00+00:00";

/// A queue's time: whole seconds, as the storage service keeps them.
pub fn whole_seconds(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.as_millis().div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    offset(at)
}

/// Reads what [`offset`] wrote; none for "never" and for what is no time.
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|at| at.year() > 1)
}

/// `Sat, 21 Nov 2026 01:46:43 GMT`.
pub fn http_date(at: OffsetDateTime) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[usize::from(at.weekday().number_days_from_monday())],
        at.day(),
        MONTHS[usize::from(u8::from(at.month()) - 1)],
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// The time from now until `at`; zero once it has passed.
pub fn until(at: OffsetDateTime) -> Duration {
    (at - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO)
}

/// A .NET TimeSpan: `hh:mm:ss`, with `d.` before and `.fffffff` after it if need be; a bare number counts days.
pub fn parse_span(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once(':') {
        None => return text.parse::<u32>().ok().map(|days| Duration::from_secs(u64::from(days) * 86_400)),
        Some((first, _)) => match first.split_once('.') {
            Some((days, _)) => (days.parse::<u32>().ok()?, &text[days.len() + 1..]),
            None => (0, text),
        },
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let (seconds, ticks) = match parts.next() {
        None => (0, 0),
        Some(text) => match text.split_once('.') {
            None => (text.parse::<u64>().ok()?, 0),
            Some((seconds, fraction)) if (1..=7).contains(&fraction.len()) => {
                (seconds.parse().ok()?, format!("{fraction:0<7}").parse::<u64>().ok()?)
            }
            Some(_) => return None,
        },
    };
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let whole = u64::from(days) * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    Some(Duration::from_secs(whole) + Duration::from_nanos(ticks * 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_without_trailing_zeros() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_228_121_850_069_000).unwrap();
        assert!(zulu(at).ends_with(":41.850069Z"), "{}", zulu(at));
        let whole = OffsetDateTime::from_unix_timestamp(1_795_228_121).unwrap();
        assert!(offset(whole).ends_with(":41+00:00"));
        assert_eq!(parse(&offset(at)), Some(at));
        assert_eq!(parse(NEVER), None);
    }

    #[test]
    fn spans_are_read_as_dotnet_reads_them() {
        assert_eq!(parse_span("00:00:00.100"), Some(Duration::from_millis(100)));
        assert_eq!(parse_span("1.02:03:04"), Some(Duration::from_secs(93_784)));
        assert_eq!(parse_span("00:05"), Some(Duration::from_secs(300)));
        assert_eq!(parse_span("5"), Some(Duration::from_secs(432_000)));
        for wrong in ["", "soon", "00:60:00", "24:00:00", "1:2:3:4", "00:00:00.12345678"] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }
}
