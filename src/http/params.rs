//! What a request's line brings: the query's values and the path's.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use url::form_urlencoded;

use super::error::ApiError;
use crate::model::{RunId, redact};

/// The longest that a request may be made to wait: the platform cuts at 230 s, and proxies on the way much sooner.
const LONGEST_WAIT: u64 = 25;

/// Characters in a reason.
pub const REASON_LIMIT: usize = 500;

/// A value is not what its name asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Misfit;

/// The query's values. Names that nobody asks for are let pass: the platform adds some of its own.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A name given more than once has its values joined by commas, as a forwarding host does on its own.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let first = values.next()?;
        Some(values.fold(Cow::Borrowed(first), |joined, value| Cow::Owned(format!("{joined},{value}"))))
    }

    pub fn number(&self, name: &str, bounds: RangeInclusive<u64>) -> Result<Option<u64>, Misfit> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && bounds.contains(number));
        number.map(Some).ok_or(Misfit)
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Misfit> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Misfit),
        }
    }

    /// How long the caller would wait for news, from `wait` in seconds; zero if it does not say.
    pub fn wait(&self) -> Result<Duration, ApiError> {
        let seconds = self.number("wait", 0..=LONGEST_WAIT).map_err(|Misfit| {
            ApiError::bad_request(
                "invalid_wait",
                format!("Give wait as a whole number of seconds, 0 to {LONGEST_WAIT}."),
            )
        })?;
        Ok(Duration::from_secs(seconds.unwrap_or_default()))
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

/// The path's values, decoded; none at all if one of them is no UTF-8.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Segments(Vec<(String, String)>);

impl Segments {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// `None` if the value is no id that this product gave out.
    pub fn run(&self, name: &str) -> Option<RunId> {
        self.text(name)?.parse().ok()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let found = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        Ok(found.map(|Path(values)| Self(values)).unwrap_or_default())
    }
}

/// A reason in a caller's words, which will be stored and shown: secrets in it are masked.
///
/// # Errors
/// 400 `reason_too_long`.
pub fn reason(text: &str) -> Result<String, ApiError> {
    if text.chars().count() > REASON_LIMIT {
        let message = format!("Give a reason of at most {REASON_LIMIT} characters.");
        return Err(ApiError::bad_request("reason_too_long", message));
    }
    Ok(redact(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_repeated_ones_joined_as_the_host_does() {
        let params = Params::parse("a=x%20y&b=1&b=2&flag&c=%C3%A9&plus=a+b");
        assert_eq!(params.text("a").as_deref(), Some("x y"));
        assert_eq!(params.text("b").as_deref(), Some("1,2"));
        assert_eq!(params.text("flag").as_deref(), Some(""));
        assert_eq!(params.text("c").as_deref(), Some("é"));
        assert_eq!(params.text("d"), None);
    }

    #[test]
    fn a_number_is_digits_within_its_bounds() {
        let number = |text: &str| Params::parse(&format!("n={text}")).number("n", 1..=100);
        assert_eq!((number("1"), number("100"), number("007")), (Ok(Some(1)), Ok(Some(100)), Ok(Some(7))));
        for odd in ["", "0", "101", "-1", "%2B1", "1.0", "1,2", "ten", "99999999999999999999999"] {
            assert_eq!(number(odd), Err(Misfit), "{odd}");
        }
        assert_eq!(Params::default().number("n", 1..=2), Ok(None));
    }

    #[test]
    fn a_wait_is_at_most_25_seconds() {
        assert_eq!(Params::parse("wait=25").wait(), Ok(Duration::from_secs(25)));
        assert_eq!(Params::parse("").wait(), Ok(Duration::ZERO));
        assert_eq!(Params::parse("wait=26").wait().map_err(|e| e.code()), Err("invalid_wait"));
    }

    #[test]
    fn a_reason_is_bounded_and_masked() {
        assert_eq!(reason(&"é".repeat(500)).map(|text| text.chars().count()), Ok(500));
        assert_eq!(reason(&"é".repeat(501)).map_err(|e| e.code()), Err("reason_too_long"));
        assert_eq!(reason(" password=pl4nted ").as_deref(), Ok("password=***"));
    }
}
