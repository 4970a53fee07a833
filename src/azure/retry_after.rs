//! How long Azure asks to be left alone.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Longer pauses are cut: the caller has a deadline, and asking once an hour harms nobody.
const LONGEST: Duration = Duration::from_secs(3600);

/// Reads `retry-after-ms`, `x-ms-retry-after-ms`, or `Retry-After` in seconds or as a date.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = ["retry-after-ms", "x-ms-retry-after-ms"].into_iter().find_map(|name| text(name)?.parse().ok());
    let asked = millis.map(Duration::from_millis).or_else(|| {
        let value = text(RETRY_AFTER.as_str())?;
        value.parse().map(Duration::from_secs).ok().or_else(|| until(value, now))
    });
    asked.map(|asked| asked.min(LONGEST))
}

fn until(date: &str, now: SystemTime) -> Option<Duration> {
    let at = OffsetDateTime::parse(date, &Rfc2822).ok()?;
    Some((at - OffsetDateTime::from(now)).try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        // Fri, 20 Nov 2026 00:00:00 GMT
        retry_after(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_132_800))
    }

    #[test]
    fn every_spelling_of_a_pause_is_understood() {
        assert_eq!(asked("retry-after", "17"), Some(Duration::from_secs(17)));
        assert_eq!(asked("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(asked("x-ms-retry-after-ms", "1500"), Some(Duration::from_millis(1500)));
        assert_eq!(asked("retry-after", "Fri, 20 Nov 2026 00:00:30 GMT"), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_date_that_has_passed_means_now_and_nonsense_means_nothing() {
        assert_eq!(asked("retry-after", "Fri, 20 Nov 2020 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("retry-after", "soon"), None);
        assert_eq!(asked("retry-after", "-3"), None);
        assert_eq!(asked("retry-after", "99999999"), Some(LONGEST));
    }
}
