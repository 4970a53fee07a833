//! Telling a caller of a change: entity tags, and waiting for one.

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::model::Run;

/// Stands for one state of what is shown. Opaque: it tells neither seq nor worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag(String);

impl Tag {
    /// `form` names the way in which the run is shown; every write to the run gives another tag.
    pub fn of(form: &str, run: Option<&Run>) -> Self {
        let state = run.map(|run| (&run.id, run.seq, &run.operation));
        Self::hashed(&serde_json::json!([form, state]))
    }

    /// The tag of the same and of what is shown beside it.
    pub fn with(self, shown: &impl Serialize) -> Self {
        Self::hashed(&serde_json::json!([self.0, shown]))
    }

    fn hashed(of: &Value) -> Self {
        const DIGITS: usize = 20;
        let mut hash = hex::encode(Sha256::digest(of.to_string()));
        hash.truncate(DIGITS);
        Self(hash)
    }
}

/// In quotes, as in the header.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// The states that the caller knows already, from If-None-Match.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known(Vec<String>);

impl Known {
    pub fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let tags = values.flat_map(|value| value.split(',')).map(|tag| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).to_owned()
        });
        Self(tags.filter(|tag| !tag.is_empty()).collect())
    }

    pub fn has(&self, tag: &Tag) -> bool {
        self.0.iter().any(|known| known == "*" || *known == tag.to_string())
    }

    /// Whether waiting for something new is over: with If-None-Match as soon as there is another state than the known
    /// one, without it at the run's end. Nothing changes after the end.
    pub fn is_answered(&self, tag: &Tag, ended: bool) -> bool {
        ended || (!self.0.is_empty() && !self.has(tag))
    }
}

/// Reads until `enough` or until `wait` is over, ever more slowly; returns what was read last. Without a wait, that is
/// the first reading.
///
/// # Errors
/// The first that a reading gives.
pub async fn poll<T, E, R: Future<Output = Result<T, E>>>(
    wait: Duration,
    read: impl Fn() -> R,
    enough: impl Fn(&T) -> bool,
) -> Result<T, E> {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(1);
    let end = Instant::now() + wait;
    let mut pause = FIRST;
    loop {
        let found = read().await?;
        let left = end.saturating_duration_since(Instant::now());
        if enough(&found) || left.is_zero() {
            return Ok(found);
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use axum::http::HeaderValue;

    use super::*;

    fn known(values: &[&'static str]) -> Known {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
        }
        Known::of(&headers)
    }

    fn tag() -> Tag {
        Tag("a1".into())
    }

    #[test]
    fn a_tag_is_known_alone_in_a_list_weakly_and_by_a_star() {
        let lists: [&[&str]; 5] = [&["\"a1\""], &["\"b\", \"a1\""], &["\"b\"", "\"a1\""], &["W/\"a1\""], &["*"]];
        for values in lists {
            assert!(known(values).has(&tag()), "{values:?}");
        }
        let others: [&[&str]; 4] = [&[], &["a1"], &["\"a\""], &["\"A1\""]];
        for values in others {
            assert!(!known(values).has(&tag()), "{values:?}");
        }
    }

    #[test]
    fn a_wait_ends_with_another_state_or_with_the_run() {
        assert!(known(&["\"b\""]).is_answered(&tag(), false));
        assert!(!known(&["\"a1\""]).is_answered(&tag(), false));
        assert!(!known(&[]).is_answered(&tag(), false));
        for values in [&["\"a1\""] as &[&str], &[]] {
            assert!(known(values).is_answered(&tag(), true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn polling_ends_with_what_was_waited_for_or_with_the_time() {
        for (enough_at, reads) in [(1, 1), (4, 4), (u32::MAX, 10)] {
            let count = Cell::new(0);
            let read = || {
                count.set(count.get() + 1);
                std::future::ready(Ok::<_, ()>(count.get()))
            };
            let found = poll(Duration::from_secs(7), read, |seen| *seen >= enough_at).await;
            assert_eq!(found, Ok(reads), "{enough_at}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_wait_there_is_one_reading() {
        let started = Instant::now();
        assert_eq!(poll(Duration::ZERO, || std::future::ready(Ok::<_, ()>(1)), |_| false).await, Ok(1));
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
