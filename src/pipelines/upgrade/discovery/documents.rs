//! What the platform's scope remembers of the repository, and what people have set. Both documents belong to callers.

use serde::{Deserialize, Serialize};

use crate::engine::ports::StoreError;
use crate::engine::{Engine, Updated};
use crate::git::{Discovery, Version};
use crate::model::{Failure, Timestamp};
use crate::pipelines::upgrade::scope;

pub(super) const DISCOVERY: &str = "discovery";
const SETTINGS: &str = "settings";
/// A page of candidates, and a row, have an end.
pub const MOST_RELEASES: usize = 200;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Discovered {
    /// When the repository was asked for what is here.
    pub checked_at: Option<Timestamp>,
    /// When it was last asked, whatever came of it.
    pub attempted_at: Option<Timestamp>,
    /// The newest first.
    pub releases: Vec<Release>,
    pub head: Option<Tip>,
    /// Why a later check brought nothing.
    pub error: Option<CheckFailure>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Release {
    /// Without the leading `v`.
    pub version: String,
    /// In hex digits.
    pub commit: String,
}

/// The tip of the default branch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tip {
    pub branch: String,
    /// In hex digits.
    pub commit: String,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CheckFailure {
    pub failure: Failure,
    /// When the check began.
    pub at: Timestamp,
}

/// What is offered beside releases.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// Whether the default branch's tip is offered.
    pub track_commits: bool,
    /// An object id; none while nobody has set anything.
    pub changed_by: Option<String>,
    pub changed_at: Option<Timestamp>,
}

/// What is known of the repository.
pub async fn known(engine: &Engine) -> Result<Discovered, StoreError> {
    Ok(engine.document(&scope(), DISCOVERY).await?.unwrap_or_default())
}

pub async fn channel(engine: &Engine) -> Result<Channel, StoreError> {
    Ok(engine.document(&scope(), SETTINGS).await?.unwrap_or_default())
}

/// Sets it, and says how it is set; the same again changes nothing.
pub async fn set_channel(engine: &Engine, track_commits: bool, by: &str) -> Result<Channel, StoreError> {
    let platform = scope();
    let updated = engine.update_document(&platform, SETTINGS, |known: Option<&Channel>| {
        let changes = known.is_none_or(|known| known.track_commits != track_commits);
        changes.then(|| Channel { track_commits, changed_by: Some(by.to_owned()), changed_at: Some(engine.now()) })
    });
    Ok(match updated.await? {
        Updated::Written(set) => set,
        Updated::Left(known) => known.unwrap_or_default(),
    })
}

/// The newest releases among the tags, the newest first. Whatever is no release is passed over.
pub(super) fn releases(found: &Discovery) -> Vec<Release> {
    let version = |name: &str| Version::parse(name.strip_prefix('v')?).ok().filter(Version::is_release);
    let mut releases: Vec<(Version, &str)> =
        found.tags.iter().filter_map(|tag| Some((version(&tag.name)?, tag.commit.as_str()))).collect();
    releases.sort_by(|one, other| other.0.cmp(&one.0));
    let told = |(version, commit): (Version, &str)| Release { version: version.to_string(), commit: commit.to_owned() };
    releases.into_iter().take(MOST_RELEASES).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::RemoteTag;

    fn found(names: impl IntoIterator<Item = String>) -> Discovery {
        let tags = names.into_iter().map(|name| RemoteTag { name, commit: "c0ffee".to_owned() }).collect();
        Discovery { tags, head: None }
    }

    #[test]
    fn releases_are_told_newest_first_and_junk_is_passed_over() {
        let names = ["v1.9.0", "v1.10.0", "1.11.0", "v2", "v1.10.0-rc.1", "nightly", "v1.2.3-commit.0a1b2c3", "v", ""];
        let versions: Vec<_> = releases(&found(names.map(str::to_owned))).into_iter().map(|r| r.version).collect();
        assert_eq!(versions, ["1.10.0", "1.9.0"]);
    }

    #[test]
    fn of_more_releases_than_are_kept_the_newest_are() {
        let kept = releases(&found((0..MOST_RELEASES + 50).map(|patch| format!("v1.0.{patch}"))));
        assert_eq!((kept.len(), kept[0].version.as_str()), (MOST_RELEASES, "1.0.249"));
    }
}
