//! The name of what is deployed: a release, a pre-release, or a build of a commit on top of a release.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// `MAJOR.MINOR.PATCH`, optionally followed by `-` and dot-separated identifiers, for example `1.2.3-commit.0a1b2c3`.
///
/// At most 64 characters of `[0-9A-Za-z.-]`, so that it is safe in a tag, a path, an image name and a log line.
/// Ordered as semantic versions are, a pre-release before its release; but `-commit.` and 7 to 40 lower-case hex digits
/// name a commit that was made after the release, and such a build comes between it and the next release.
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

    /// The release that this version is, leads to or is built on: `MAJOR.MINOR.PATCH`.
    pub fn release(&self) -> &str {
        split(&self.text).0
    }

    pub fn is_release(&self) -> bool {
        self.suffix().is_none()
    }

    /// The commit that a build of the commit channel names, in full or by its first digits.
    pub fn commit(&self) -> Option<&str> {
        self.suffix().and_then(commit_of)
    }

    /// [`u64::MAX`] for one that is larger.
    pub fn major(&self) -> u64 {
        let major = self.text.split('.').next().unwrap_or_default();
        major.parse().unwrap_or(u64::MAX)
    }

    /// The build of `commit`, a commit's full name in hex digits, on top of `release`.
    pub fn of_commit(release: &Self, commit: &str) -> Self {
        let digits: String = commit.chars().filter(char::is_ascii_hexdigit).take(SHORTEST_COMMIT).collect();
        Self { text: format!("{}-{COMMIT}{}", release.release(), digits.to_ascii_lowercase()) }
    }

    /// Whether going from this version to `target` goes back. Of two builds of commits on one release nobody can tell
    /// which is the later one, so neither is a downgrade.
    pub fn is_downgraded_by(&self, target: &Self) -> bool {
        target.weigh(self) == Ordering::Less
    }

    fn suffix(&self) -> Option<&str> {
        split(&self.text).1
    }

    fn weigh(&self, other: &Self) -> Ordering {
        let (rank, other_rank) = (Rank::of(self.suffix()), Rank::of(other.suffix()));
        compare_lists(self.release().split('.'), other.release().split('.'), compare_numbers).then_with(|| {
            match (rank, other_rank) {
                (Rank::Before(a), Rank::Before(b)) => compare_lists(a.split('.'), b.split('.'), compare_identifiers),
                _ => rank.position().cmp(&other_rank.position()),
            }
        })
    }
}

const COMMIT: &str = "commit.";
const SHORTEST_COMMIT: usize = 7;
const LONGEST_COMMIT: usize = 40;

fn commit_of(suffix: &str) -> Option<&str> {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let sha = suffix.strip_prefix(COMMIT)?;
    ((SHORTEST_COMMIT..=LONGEST_COMMIT).contains(&sha.len()) && sha.bytes().all(is_digit)).then_some(sha)
}

/// Where a version stands beside its release.
#[derive(Clone, Copy)]
enum Rank<'a> {
    Before(&'a str),
    Release,
    After,
}

impl<'a> Rank<'a> {
    fn of(suffix: Option<&'a str>) -> Self {
        match suffix {
            None => Self::Release,
            Some(suffix) if commit_of(suffix).is_some() => Self::After,
            Some(suffix) => Self::Before(suffix),
        }
    }

    fn position(self) -> u8 {
        match self {
            Self::Before(_) => 0,
            Self::Release => 1,
            Self::After => 2,
        }
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
        // `1.02.3` and `1.2.3` weigh the same and are still two tags; so do the builds of two commits.
        self.weigh(other).then_with(|| self.text.cmp(&other.text))
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
            "1.0.0-commit",
            "1.0.0-commit.0A1B2C3",
            "1.0.0-commit.0a1b2c",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0-commit.0a1b2c3",
            "1.0.0-commit.ffffffff",
            "1.0.1-rc.1",
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
    fn a_build_of_a_commit_tells_its_release_and_its_commit() {
        let full = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        let build = version(&format!("1.2.3-commit.{full}"));
        assert_eq!((build.release(), build.commit(), build.is_release()), ("1.2.3", Some(full), false));
        assert_eq!(version("1.2.3-commit.0a1b2c3").commit(), Some("0a1b2c3"));
        for text in [
            "1.2.3",
            "1.2.3-rc.1",
            "1.2.3-commit.0a1b2c",
            "1.2.3-commit.0A1B2C3",
            "1.2.3-commit.0a1b2cg",
            "1.2.3-commit",
        ] {
            assert_eq!(version(text).commit(), None, "{text}");
        }
        let long = version(&format!("1.2.3-commit.{}", "0".repeat(41)));
        assert_eq!(long.commit(), None);
        assert_eq!((version("1.2.3").is_release(), version("1.2.3-rc.1").is_release()), (true, false));
    }

    #[test]
    fn a_commit_is_built_on_top_of_a_release() {
        let full = "0A1B2C3d4e5f60718293a4b5c6d7e8f901234567";
        for release in ["1.2.3", "1.2.3-rc.1", "1.2.3-commit.fffffff"] {
            let build = Version::of_commit(&version(release), full);
            assert_eq!(build, version("1.2.3-commit.0a1b2c3"), "{release}");
        }
    }

    #[test]
    fn the_major_version_is_a_number() {
        let majors =
            ["0.1.0", "1.2.3", "012.0.0-rc.1", "99999999999999999999999.0.0"].map(|text| version(text).major());
        assert_eq!(majors, [0, 1, 12, u64::MAX]);
    }

    #[test]
    fn going_back_is_a_downgrade_and_another_commit_is_not() {
        let (one, other) = ("1.2.3-commit.0a1b2c3", "1.2.3-commit.fffffff");
        for (from, to) in [
            ("1.2.3", "1.2.2"),
            ("1.10.0", "1.9.9"),
            ("2.0.0", "1.9.9"),
            ("1.2.3", "1.2.3-rc.1"),
            ("1.2.3-rc.11", "1.2.3-rc.2"),
            (one, "1.2.3"),
            (one, "1.2.3-rc.1"),
            ("1.2.4", one),
            ("1.2.4-rc.1", one),
        ] {
            assert!(version(from).is_downgraded_by(&version(to)), "{from} to {to}");
            assert!(!version(to).is_downgraded_by(&version(from)), "{to} to {from}");
        }
        for (from, to) in [("1.2.3", "1.2.3"), ("1.02.3", "1.2.3"), ("1.2.3", "1.02.3"), (one, other), (other, one)] {
            assert!(!version(from).is_downgraded_by(&version(to)), "{from} to {to}");
        }
    }
}
