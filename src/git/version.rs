//! The names of what is fetched: a released version, and the commit that it should be.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// `MAJOR.MINOR.PATCH`, optionally followed by `-` and dot-separated identifiers, for example `1.2.3-commit.0a1b2c3`.
///
/// At most 64 characters of `[0-9A-Za-z.-]`, so that it is safe in a tag, a path, an image name and a log line.
/// Ordered as semantic versions are: a pre-release comes before its release.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Version {
    text: String,
}

/// The text is no version that this product deploys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a version is MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-suffix, at most 64 characters, without a leading 'v'")]
pub struct BadVersion;

impl Version {
    const MAX_LENGTH: usize = 64;

    pub fn parse(text: &str) -> Result<Self, BadVersion> {
        if text.len() > Self::MAX_LENGTH {
            return Err(BadVersion);
        }
        let (core, suffix) = split(text);
        let numbers: Vec<_> = core.split('.').collect();
        let numeric = numbers.len() == 3 && numbers.iter().all(|number| is_number(number));
        // Git refuses a ref with an empty component or one that ends in `.lock`.
        let suffixed = suffix.is_none_or(|suffix| suffix.split('.').all(is_identifier) && !suffix.ends_with(".lock"));
        if numeric && suffixed { Ok(Self { text: text.to_owned() }) } else { Err(BadVersion) }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The git tag and image tag of this version.
    pub fn tag(&self) -> String {
        format!("v{}", self.text)
    }

    pub fn is_prerelease(&self) -> bool {
        split(&self.text).1.is_some()
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('-').map_or((text, None), |(core, suffix)| (core, Some(suffix)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Compares digit strings by value; they may be longer than any integer type.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn compare_identifiers(a: &str, b: &str) -> Ordering {
    match (is_number(a), is_number(b)) {
        (true, true) => compare_numbers(a, b),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

fn compare_lists<'a>(
    mut a: impl Iterator<Item = &'a str>,
    mut b: impl Iterator<Item = &'a str>,
    compare: impl Fn(&str, &str) -> Ordering,
) -> Ordering {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => match compare(a, b) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((core, suffix), (other_core, other_suffix)) = (split(&self.text), split(&other.text));
        compare_lists(core.split('.'), other_core.split('.'), compare_numbers)
            .then_with(|| match (suffix, other_suffix) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => compare_lists(a.split('.'), b.split('.'), compare_identifiers),
            })
            // `1.02.3` and `1.2.3` weigh the same and are still two tags.
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Version {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        Self::parse(text)
    }
}

/// A commit's name or the beginning of one: 7 to 40, or 64, hex digits, kept in lower case.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sha(String);

impl Sha {
    pub fn parse(text: &str) -> Option<Self> {
        let fits = matches!(text.len(), 7..=40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| Self(text.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `commit`, a full name in hex digits, is or begins with this one.
    pub fn names(&self, commit: &str) -> bool {
        commit.get(..self.0.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.0))
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|_| panic!("{text} is a version"))
    }

    #[test]
    fn a_versions_tag_has_a_v_in_front() {
        assert_eq!(version("1.2.3").tag(), "v1.2.3");
        assert_eq!(version("1.2.3-commit.0a1b2c3").tag(), "v1.2.3-commit.0a1b2c3");
    }

    #[test]
    fn texts_that_are_no_versions_are_refused() {
        let long = format!("1.2.3-{}", "a".repeat(60));
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "v1.2.3",
            "1.2.3-",
            "1.2.x",
            " 1.2.3",
            "1.2.3\n",
            "1.2.3-a/b",
            "1.2.3-..",
            "1.2.3-a..b",
            "1.2.3-a.",
            "1.2.3+build",
            "1.2.3-a.lock",
            "1.2.3-é",
            "../1.2.3",
            "1.2.3-a b",
            "1..3",
            &long,
        ] {
            assert_eq!(Version::parse(text), Err(BadVersion), "{text:?}");
        }
    }

    #[test]
    fn versions_are_ordered_as_semantic_versions() {
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.2.9",
            "1.2.10",
            "1.10.0",
            "2.0.0",
            "99999999999999999999999.0.0",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn a_short_sha_names_the_commit_that_it_begins() {
        let commit = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        assert!(Sha::parse("0A1B2C3").is_some_and(|sha| sha.names(commit)));
        assert!(Sha::parse(commit).is_some_and(|sha| sha.names(commit)));
        assert!(Sha::parse("1a1b2c3").is_some_and(|sha| !sha.names(commit)));
        assert!(Sha::parse(&"0".repeat(64)).is_some_and(|sha| !sha.names(commit)));
    }

    #[test]
    fn texts_that_are_no_shas_are_refused() {
        for text in ["", "abc123", "0a1b2cg", &"0".repeat(41), &"0".repeat(65), "HEAD~1", "0a1b2c3é"] {
            assert_eq!(Sha::parse(text), None, "{text}");
        }
    }
}
