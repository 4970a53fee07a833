//! What is fetched from a remote: a tag, or a commit by its name or the beginning of one.

use std::fmt;

/// What to fetch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A tag, without `refs/tags/`.
    Tag(String),
    Commit(Sha),
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

    /// Whether both may be the same commit, of which `commit` is perhaps the beginning only.
    pub fn fits(&self, commit: &str) -> bool {
        self.names(commit) || Self::parse(commit).is_some_and(|commit| commit.names(&self.0))
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

    #[test]
    fn a_short_sha_names_the_commit_that_it_begins() {
        let commit = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        assert!(Sha::parse("0A1B2C3").is_some_and(|sha| sha.names(commit)));
        assert!(Sha::parse(commit).is_some_and(|sha| sha.names(commit)));
        assert!(Sha::parse("1a1b2c3").is_some_and(|sha| !sha.names(commit)));
        assert!(Sha::parse(&"0".repeat(64)).is_some_and(|sha| !sha.names(commit)));
    }

    #[test]
    fn of_two_names_of_one_commit_either_may_be_the_shorter() {
        let sha = Sha::parse("0a1b2c3d4e5f60718293a4b5c6d7e8f901234567").unwrap();
        assert!(sha.fits("0a1b2c3") && sha.fits("0A1B2C3D") && sha.fits(sha.as_str()));
        assert!(Sha::parse("0a1b2c3").unwrap().fits(sha.as_str()));
        assert!(!sha.fits("0a1b2c4") && !sha.fits("") && !sha.fits("0a1b"));
    }

    #[test]
    fn texts_that_are_no_shas_are_refused() {
        for text in ["", "abc123", "0a1b2cg", &"0".repeat(41), &"0".repeat(65), "HEAD~1", "0a1b2c3é"] {
            assert_eq!(Sha::parse(text), None, "{text}");
        }
    }
}
