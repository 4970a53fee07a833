//! Names: what a run changes, and which run it is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a run changes, for example `platform` or `tool:<name>`. Two runs of one scope never overlap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub struct Scope(String);

impl Scope {
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition in which the rows of this scope live.
    pub fn tag(&self) -> ScopeTag {
        let mut digits = hex::encode(Sha256::digest(self.0.as_bytes()));
        digits.truncate(ScopeTag::DIGITS);
        ScopeTag(digits)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first ten hex digits of the SHA-256 of a scope.
///
/// Two scopes with one tag would share a lock and thus wait for each other, which is safe.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ScopeTag(String);

impl ScopeTag {
    const DIGITS: usize = 10;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `<scope tag>-<name>`: the tag makes every row of the run a point read; the name sorts the newest run first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RunId {
    tag: ScopeTag,
    name: String,
}

/// The text is no id that this product gave out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a run id is {} hex digits, a dash and {} hex digits", ScopeTag::DIGITS, RunId::NAME_DIGITS)]
pub struct BadId;

impl RunId {
    const TIME_DIGITS: usize = 11;
    const RANDOM_DIGITS: usize = 9;
    const NAME_DIGITS: usize = Self::TIME_DIGITS + Self::RANDOM_DIGITS;

    const TIME_MASK: u64 = 0xfff_ffff_ffff;

    /// A new id for a run of `scope`, from the milliseconds of its start and 36 random bits.
    pub fn new(scope: &Scope, started_ms: i64, random: u64) -> Self {
        let left = Self::TIME_MASK - (started_ms.max(0).unsigned_abs() & Self::TIME_MASK);
        Self { tag: scope.tag(), name: format!("{left:011x}{:09x}", random & 0xf_ffff_ffff) }
    }

    /// A new id that sorts as newer than `last`, even if the clock of whoever made that one was ahead of ours.
    pub fn after(last: &Self, scope: &Scope, started_ms: i64, random: u64) -> Self {
        Self::new(scope, started_ms.max(last.started_ms().saturating_add(1)), random)
    }

    /// The milliseconds that the id was made from.
    pub fn started_ms(&self) -> i64 {
        let left = self.name.get(..Self::TIME_DIGITS).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let started = Self::TIME_MASK - left.unwrap_or(Self::TIME_MASK);
        i64::try_from(started).unwrap_or(i64::MAX)
    }

    pub fn tag(&self) -> &ScopeTag {
        &self.tag
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl FromStr for RunId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (tag, name) = text.split_once('-').ok_or(BadId)?;
        let fits = tag.len() == ScopeTag::DIGITS && name.len() == Self::NAME_DIGITS;
        if !fits || !is_lower_hex(tag) || !is_lower_hex(name) {
            return Err(BadId);
        }
        Ok(Self { tag: ScopeTag(tag.to_owned()), name: name.to_owned() })
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.tag, self.name)
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_scopes_tag_and_survives_its_own_text() {
        let scope = Scope::new("platform");
        let id = RunId::new(&scope, 1_795_228_935_162, 0x1_2345_6789);
        assert_eq!(id.tag(), &scope.tag());
        assert_eq!(id.started_ms(), 1_795_228_935_162);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn the_newest_run_sorts_first() {
        let scope = Scope::new("platform");
        assert!(RunId::new(&scope, 1_001, u64::MAX) < RunId::new(&scope, 1_000, 0));
    }

    #[test]
    fn an_id_after_another_is_newer_than_it_whatever_the_clocks_say() {
        let scope = Scope::new("platform");
        let last = RunId::new(&scope, 1_000, 5);
        for started_ms in [0, 999, 1_000] {
            assert_eq!(RunId::after(&last, &scope, started_ms, 0), RunId::new(&scope, 1_001, 0));
        }
        assert_eq!(RunId::after(&last, &scope, 1_002, 0), RunId::new(&scope, 1_002, 0));
    }

    #[test]
    fn texts_that_are_no_ids_are_refused() {
        for text in ["", "-", "abc", "../../etc", "0123456789-0123456789012345678G", "0123456789-012345678901234567890"]
        {
            assert_eq!(text.parse::<RunId>(), Err(BadId), "{text}");
        }
    }
}
