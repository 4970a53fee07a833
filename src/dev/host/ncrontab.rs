//! NCRONTAB schedules: six fields `second minute hour day month weekday`, or five without the second.
//!
//! A day must match both the day and the weekday field (other cron dialects take either), weekdays run from 0 = Sunday
//! to 6, and there is no `L`, `W` or `#`. Times are UTC, as they are on Azure.

use time::{Date, Duration, Month, OffsetDateTime, Time};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ncrontab {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

struct Range {
    name: &'static str,
    from: u32,
    to: u32,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: &[&str] = &["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const SECOND: Range = Range { name: "second", from: 0, to: 59, words: &[] };
const MINUTE: Range = Range { name: "minute", from: 0, to: 59, words: &[] };
const HOUR: Range = Range { name: "hour", from: 0, to: 23, words: &[] };
const DAY: Range = Range { name: "day", from: 1, to: 31, words: &[] };
const MONTH: Range = Range { name: "month", from: 1, to: 12, words: MONTHS };
const WEEKDAY: Range = Range { name: "weekday", from: 0, to: 6, words: WEEKDAYS };

impl Ncrontab {
    /// The error says which field is wrong and what it may hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (second, rest) = match fields.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            rest if rest.len() == 5 => ("0", rest),
            other => {
                return Err(format!("has {} fields; write six: second minute hour day month weekday", other.len()));
            }
        };
        let [minute, hour, day, month, weekday] = rest else { return Err("has too few fields".to_owned()) };
        let schedule = Self {
            seconds: set(second, &SECOND)?,
            minutes: set(minute, &MINUTE)?,
            hours: set(hour, &HOUR)?,
            days: set(day, &DAY)?,
            months: set(month, &MONTH)?,
            weekdays: set(weekday, &WEEKDAY)?,
        };
        match schedule.after(OffsetDateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err("never comes: no month has such a day".to_owned()),
        }
    }

    /// The first occurrence later than `at`.
    pub fn after(&self, at: OffsetDateTime) -> Option<OffsetDateTime> {
        let start = at.replace_nanosecond(0).ok()? + Duration::SECOND;
        let mut date = start.date();
        let mut earliest = start.time();
        // Every combination of day, month and weekday that exists comes back within 28 years, or 40 around a
        // century that is no leap year.
        let last = date.replace_year(date.year() + 41).unwrap_or(Date::MAX);
        while date < last {
            if !has(self.months, u8::from(date.month())) {
                date = first_of_next_month(date)?;
                earliest = Time::MIDNIGHT;
                continue;
            }
            if has(self.days, date.day())
                && has(self.weekdays, date.weekday().number_days_from_sunday())
                && let Some(time) = self.time_from(earliest)
            {
                return Some(OffsetDateTime::new_utc(date, time));
            }
            date = date.next_day()?;
            earliest = Time::MIDNIGHT;
        }
        None
    }

    /// The first time of day that is not before `earliest`.
    fn time_from(&self, earliest: Time) -> Option<Time> {
        let (hour, minute, second) = earliest.as_hms();
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = next_in(self.seconds, second)
            {
                return Time::from_hms(hour, minute, second).ok();
            }
            if let Some(minute) = next_in(self.minutes, minute + 1) {
                return Time::from_hms(hour, minute, next_in(self.seconds, 0)?).ok();
            }
        }
        let hour = next_in(self.hours, hour + 1)?;
        Time::from_hms(hour, next_in(self.minutes, 0)?, next_in(self.seconds, 0)?).ok()
    }
}

fn has(set: u64, value: u8) -> bool {
    set >> value & 1 == 1
}

fn next_in(set: u64, from: u8) -> Option<u8> {
    (from..60).find(|value| has(set, *value))
}

fn first_of_next_month(date: Date) -> Option<Date> {
    let (year, month) = match date.month() {
        Month::December => (date.year() + 1, Month::January),
        month => (date.year(), month.next()),
    };
    Date::from_calendar_date(year, month, 1).ok()
}

fn set(text: &str, range: &Range) -> Result<u64, String> {
    text.split(',').try_fold(0, |set, part| Ok(set | one(part, range)?))
}

fn one(part: &str, range: &Range) -> Result<u64, String> {
    let wrong = || {
        format!("has a {} field '{part}'; it may hold {} to {}, *, a-b, a,b or */n", range.name, range.from, range.to)
    };
    let (span, step) = match part.split_once('/') {
        Some((span, step)) => (span, Some(step.parse::<u32>().ok().filter(|step| *step > 0).ok_or_else(wrong)?)),
        None => (part, None),
    };
    let (from, to) = match span.split_once('-') {
        _ if span == "*" => (range.from, range.to),
        Some((from, to)) => (value(from, range).ok_or_else(wrong)?, value(to, range).ok_or_else(wrong)?),
        None => {
            let from = value(span, range).ok_or_else(wrong)?;
            (from, if step.is_some() { range.to } else { from })
        }
    };
    let (from, to) = (from.min(to), from.max(to));
    Ok((from..=to).step_by(step.unwrap_or(1) as usize).fold(0, |set, value| set | 1 << value))
}

fn value(text: &str, range: &Range) -> Option<u32> {
    if let Ok(number) = text.parse::<u32>() {
        return (range.from..=range.to).contains(&number).then_some(number);
    }
    let word = text.to_ascii_lowercase();
    let at = range.words.iter().position(|known| word.len() >= 3 && known.starts_with(&word))?;
    u32::try_from(at).ok().map(|at| at + range.from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::host::moment;

    fn next(schedule: &str, at: &str) -> String {
        let at = moment::parse(at).unwrap();
        moment::zulu(Ncrontab::parse(schedule).unwrap().after(at).unwrap())
    }

    #[test]
    fn the_next_occurrence_is_found_across_every_boundary() {
        for (schedule, at, then) in [
            ("*/10 * * * * *", "2026-11-21T01:53:33+00:00", "2026-11-21T01:53:40Z"),
            ("0 * * * * *", "2026-11-21T01:53:33+00:00", "2026-11-21T01:54:00Z"),
            ("0 0 0 1 1 *", "2026-11-21T01:53:33+00:00", "2027-01-01T00:00:00Z"),
            ("0 30 9 * * mon-fri", "2026-11-20T09:30:00+00:00", "2026-11-23T09:30:00Z"),
            ("0 0 0 29 feb *", "2026-01-01T00:00:00+00:00", "2028-02-29T00:00:00Z"),
            ("59 59 23 31 12 *", "2026-12-31T23:59:59+00:00", "2027-12-31T23:59:59Z"),
            ("0 5/20 * * * *", "2026-11-21T01:26:00+00:00", "2026-11-21T01:45:00Z"),
        ] {
            assert_eq!(next(schedule, at), then, "{schedule}");
        }
    }

    #[test]
    fn five_fields_begin_with_the_minute() {
        assert_eq!(next("*/5 * * * *", "2026-11-21T01:53:33+00:00"), "2026-11-21T01:55:00Z");
    }

    #[test]
    fn day_and_weekday_must_both_match() {
        assert_eq!(next("0 0 0 13 * fri", "2026-11-21T00:00:00+00:00"), "2027-08-13T00:00:00Z");
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (text, says) in [
            ("* * *", "3 fields"),
            ("61 * * * * *", "second"),
            ("0 0 0 * * 7", "weekday"),
            ("0 0 0 L * *", "day"),
            ("*/0 * * * * *", "second"),
            ("0 0 0 31 feb *", "never"),
        ] {
            let error = Ncrontab::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
