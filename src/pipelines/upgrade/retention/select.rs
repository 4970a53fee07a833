//! Which images of a repository go. Pure.
//!
//! Ours are the tags of versions, `v1.2.3`; no other tag is touched, and no image that another tag names. An orphan is a
//! version of which some component has no image: its build failed, and no upgrade came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::azure::images::Tag;
use crate::git::Version;
use crate::model::Timestamp;

/// A build takes half an hour at the most, and somebody may try again what has failed.
const ORPHANED: Duration = Duration::from_secs(24 * 3600);

/// Images that stay whatever their age.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Protected {
    /// Repository and tag.
    pub tags: BTreeSet<(String, String)>,
    pub digests: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Removal {
    /// The tag alone: its image has other names.
    Tag(String),
    /// The image with all of its tags.
    Manifest { digest: String, tags: Vec<String> },
}

/// What becomes of the tags of ours.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection {
    /// The newest first.
    pub kept: Vec<String>,
    /// Those of them that stay whatever their age.
    pub protected: Vec<String>,
    /// Those that go and that no upgrade came of.
    pub orphans: Vec<String>,
    /// The oldest first.
    pub removals: Vec<Removal>,
}

impl Removal {
    pub fn tags(&self) -> &[String] {
        match self {
            Self::Tag(tag) => std::slice::from_ref(tag),
            Self::Manifest { tags, .. } => tags,
        }
    }
}

/// Every component's repository, by name; `None` where it cannot be listed. Then nobody can tell what an orphan is.
pub type Shelves = BTreeMap<String, Option<Vec<Tag>>>;

/// Keeps the newest `keep` versions of `repository`, and what is protected.
pub fn select(shelves: &Shelves, repository: &str, protected: &Protected, keep: usize, now: Timestamp) -> Selection {
    let tags = shelves.get(repository).and_then(Option::as_deref).unwrap_or_default();
    let mut ours: Vec<(&Tag, Version)> = tags.iter().filter_map(|tag| Some((tag, version(tag)?))).collect();
    ours.sort_by(|one, other| (created(other.0), &other.1).cmp(&(created(one.0), &one.1)));
    let mut selection = Selection::default();
    let mut doomed: Vec<&Tag> = Vec::new();
    let mut whole = 0;
    for (tag, _) in ours {
        let orphan = is_orphan(shelves, tag, now);
        whole += usize::from(!orphan);
        let spared = tag.is_locked()
            || protected.digests.contains(&tag.digest)
            || protected.tags.contains(&(repository.to_owned(), tag.name.clone()));
        if spared || (!orphan && whole <= keep) {
            selection.kept.push(tag.name.clone());
        } else {
            doomed.push(tag);
        }
        if spared {
            selection.protected.push(tag.name.clone());
        } else if orphan {
            selection.orphans.push(tag.name.clone());
        }
    }
    selection.removals = removals(tags, &doomed);
    selection
}

fn removals(tags: &[Tag], doomed: &[&Tag]) -> Vec<Removal> {
    let goes = |tag: &Tag| doomed.iter().any(|other| other.name == tag.name);
    let mut removals: Vec<Removal> = Vec::new();
    let mut seen = BTreeSet::new();
    for tag in doomed.iter().rev() {
        let siblings: Vec<&Tag> = tags.iter().filter(|other| other.digest == tag.digest).collect();
        if !siblings.iter().all(|sibling| goes(sibling)) {
            removals.push(Removal::Tag(tag.name.clone()));
        } else if seen.insert(&tag.digest) {
            let tags = siblings.into_iter().map(|sibling| sibling.name.clone()).collect();
            removals.push(Removal::Manifest { digest: tag.digest.clone(), tags });
        }
    }
    removals
}

/// A component judges nothing that is older than the first image it has: one that was added yesterday had none before.
fn is_orphan(shelves: &Shelves, tag: &Tag, now: Timestamp) -> bool {
    let Some(at) = created(tag).filter(|at| now.since(*at) > ORPHANED) else { return false };
    let lacks = |tags: &Vec<Tag>| {
        let first = tags.iter().filter(|tag| version(tag).is_some()).filter_map(created).min();
        first.is_some_and(|first| first < at) && !tags.iter().any(|other| other.name == tag.name)
    };
    shelves.values().all(Option::is_some) && shelves.values().flatten().any(lacks)
}

fn version(tag: &Tag) -> Option<Version> {
    Version::parse(tag.name.strip_prefix('v')?).ok()
}

fn created(tag: &Tag) -> Option<Timestamp> {
    tag.created.or(tag.updated)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const API: &str = "elb-api";
    const WEB: &str = "elb-frontend";

    /// Created so many hours before now.
    fn tag(name: &str, digest: &str, hours: u64) -> Tag {
        serde_json::from_value(json!({"name": name, "digest": digest, "createdTime": before(hours)})).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-26T10:00:00Z").unwrap()
    }

    fn before(hours: u64) -> Timestamp {
        now() - Duration::from_secs(hours * 3600)
    }

    /// Each under a digest of its own, the oldest first, a day apart.
    fn versions(names: &[&str]) -> Vec<Tag> {
        let ages = (1..=names.len() as u64).rev().map(|days| days * 24);
        names.iter().zip(ages).map(|(name, hours)| tag(name, &format!("sha256:{name}"), hours)).collect()
    }

    fn shelves(api: Vec<Tag>, web: Vec<Tag>) -> Shelves {
        BTreeMap::from([(API.to_owned(), Some(api)), (WEB.to_owned(), Some(web))])
    }

    fn alike(tags: &[Tag]) -> Shelves {
        shelves(tags.to_vec(), tags.to_vec())
    }

    fn manifest(name: &str) -> Removal {
        Removal::Manifest { digest: format!("sha256:{name}"), tags: vec![name.to_owned()] }
    }

    #[test]
    fn the_newest_versions_stay_by_creation_and_then_by_version() {
        let shelves = alike(&versions(&["v1.0.0", "v3.0.0", "v2.0.0", "v2.1.0"]));
        let selection = select(&shelves, API, &Protected::default(), 2, now());
        assert_eq!(selection.kept, ["v2.1.0", "v2.0.0"]);
        assert_eq!(selection.removals, [manifest("v1.0.0"), manifest("v3.0.0")]);
        let at_once: Vec<Tag> = ["v1.9.0", "v1.10.0", "v1.2.0"].map(|name| tag(name, name, 48)).to_vec();
        assert_eq!(select(&alike(&at_once), API, &Protected::default(), 2, now()).kept, ["v1.10.0", "v1.9.0"]);
    }

    #[test]
    fn a_tag_that_is_no_version_is_never_touched() {
        let mut tags = versions(&["latest", "v1", "vNext", "1.2.3", "v1.0.0", "v1.1.0"]);
        tags.push(tag("stable", "sha256:v1.0.0", 1));
        let selection = select(&alike(&tags), API, &Protected::default(), 1, now());
        assert_eq!(selection.removals, [Removal::Tag("v1.0.0".to_owned())], "its image has a foreign name too");
        assert_eq!(selection.kept, ["v1.1.0"]);
    }

    #[test]
    fn an_image_goes_only_with_all_of_its_tags() {
        let tags = vec![tag("v1.0.0", "a", 96), tag("v1.0.1", "a", 72), tag("v1.0.2", "b", 48), tag("v1.0.3", "b", 24)];
        let selection = select(&alike(&tags), API, &Protected::default(), 1, now());
        let both = Removal::Manifest { digest: "a".to_owned(), tags: vec!["v1.0.0".to_owned(), "v1.0.1".to_owned()] };
        assert_eq!(selection.removals, [both, Removal::Tag("v1.0.2".to_owned())]);
    }

    #[test]
    fn what_is_in_use_stays_by_tag_and_by_digest_and_so_does_what_is_locked() {
        let mut tags = versions(&["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"]);
        tags[3] = serde_json::from_value(json!({
            "name": "v1.3.0", "digest": "x", "createdTime": before(48), "changeableAttributes": {"deleteEnabled": false},
        }))
        .unwrap();
        let protected = Protected {
            tags: BTreeSet::from([(API.to_owned(), "v1.0.0".to_owned()), (WEB.to_owned(), "v1.1.0".to_owned())]),
            digests: BTreeSet::from(["sha256:v1.2.0".to_owned()]),
        };
        let selection = select(&alike(&tags), API, &protected, 1, now());
        assert_eq!(selection.kept, ["v1.4.0", "v1.3.0", "v1.2.0", "v1.0.0"]);
        assert_eq!(selection.protected, ["v1.3.0", "v1.2.0", "v1.0.0"]);
        assert_eq!(selection.removals, [manifest("v1.1.0")]);
    }

    #[test]
    fn an_orphan_goes_after_a_day_and_takes_nobodys_place() {
        let whole = versions(&["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"]);
        let mut api = whole.clone();
        api.push(tag("v1.4.0", "orphan", 25));
        api.push(tag("v1.5.0", "young", 23));
        let selection = select(&shelves(api.clone(), whole.clone()), API, &Protected::default(), 5, now());
        assert_eq!(selection.orphans, ["v1.4.0"]);
        assert_eq!(selection.kept, ["v1.5.0", "v1.3.0", "v1.2.0", "v1.1.0", "v1.0.0"]);
        let protected = Protected { digests: BTreeSet::from(["orphan".to_owned()]), ..Protected::default() };
        assert!(select(&shelves(api, whole), API, &protected, 5, now()).orphans.is_empty());
    }

    #[test]
    fn a_component_that_was_added_later_makes_no_orphans_of_what_was_before() {
        let api = versions(&["v1.0.0", "v1.1.0", "v1.2.0"]);
        let web = vec![tag("v1.2.0", "w", 23)];
        assert!(select(&shelves(api.clone(), web), API, &Protected::default(), 3, now()).removals.is_empty());
        assert!(select(&shelves(api, Vec::new()), API, &Protected::default(), 3, now()).removals.is_empty());
    }

    #[test]
    fn while_one_repository_cannot_be_listed_nothing_is_taken_for_an_orphan() {
        let mut api = versions(&["v1.0.0", "v1.1.0"]);
        api.push(tag("v1.2.0", "orphan", 25));
        let unseen = BTreeMap::from([(API.to_owned(), Some(api)), (WEB.to_owned(), None)]);
        let selection = select(&unseen, API, &Protected::default(), 2, now());
        assert_eq!((selection.orphans.len(), selection.removals), (0, vec![manifest("v1.0.0")]));
        assert_eq!(select(&unseen, WEB, &Protected::default(), 2, now()), Selection::default());
    }

    #[test]
    fn a_second_look_at_what_is_left_finds_nothing_to_do() {
        let mut tags = versions(&["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"]);
        let first = select(&alike(&tags), API, &Protected::default(), 2, now());
        tags.retain(|tag| first.kept.contains(&tag.name));
        assert!(select(&alike(&tags), API, &Protected::default(), 2, now()).removals.is_empty());
    }
}
