//! What may be upgraded to, in the order in which a person looks for it. Pure.

use serde::Serialize;

use super::documents::Discovered;
use crate::git::Version;

/// A version that a start would take.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Candidate {
    pub version: String,
    /// The git tag; that of a commit is given to its images alone.
    pub tag: String,
    /// In hex digits.
    pub commit: String,
    pub kind: Kind,
    /// None while nobody knows what runs.
    pub relation: Option<Relation>,
    /// Another major version than the one that runs.
    pub is_major: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Release,
    /// The tip of the default branch, built on the newest release.
    Commit,
}

/// To the version that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    Newer,
    Current,
    Older,
}

/// The newest first: the tip of the default branch if it is wanted and not released, then every release.
pub fn candidates(known: &Discovered, track_commits: bool, running: Option<&Version>) -> Vec<Candidate> {
    let releases = known.releases.iter().filter_map(|release| {
        let version = Version::parse(&release.version).ok()?;
        Some(candidate(version, &release.commit, Kind::Release, running))
    });
    tip(known)
        .filter(|_| track_commits)
        .map(|(version, commit)| candidate(version, commit, Kind::Commit, running))
        .into_iter()
        .chain(releases)
        .collect()
}

/// Without a release there is nothing that a commit could be built on.
fn tip(known: &Discovered) -> Option<(Version, &str)> {
    let head = known.head.as_ref()?;
    let newest = Version::parse(&known.releases.first()?.version).ok()?;
    let released = known.releases.iter().any(|release| release.commit == head.commit);
    (!released).then(|| (Version::of_commit(&newest, &head.commit), head.commit.as_str()))
}

fn candidate(version: Version, commit: &str, kind: Kind, running: Option<&Version>) -> Candidate {
    Candidate {
        tag: version.tag(),
        commit: commit.to_owned(),
        kind,
        relation: running.map(|running| relation(running, &version)),
        is_major: running.is_some_and(|running| running.major() != version.major()),
        version: version.to_string(),
    }
}

fn relation(running: &Version, version: &Version) -> Relation {
    let same_commit = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
    match (running.commit(), version.commit()) {
        _ if running.is_downgraded_by(version) => Relation::Older,
        _ if version.is_downgraded_by(running) => Relation::Newer,
        // Two commits on one release: the tip is where the branch has got to.
        (Some(one), Some(other)) if !same_commit(one, other) => Relation::Newer,
        _ => Relation::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::super::documents::{Release, Tip};
    use super::*;

    const TIP: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";

    fn known(versions: &[&str]) -> Discovered {
        let release =
            |version: &&str| Release { version: (*version).to_owned(), commit: format!("commit of {version}") };
        Discovered {
            releases: versions.iter().map(release).collect(),
            head: Some(Tip { branch: "main".to_owned(), commit: TIP.to_owned() }),
            ..Discovered::default()
        }
    }

    fn told(known: &Discovered, track_commits: bool, running: Option<&str>) -> Vec<(String, Option<Relation>, bool)> {
        let running = running.map(|text| Version::parse(text).unwrap());
        let found = candidates(known, track_commits, running.as_ref());
        found.into_iter().map(|found| (found.version, found.relation, found.is_major)).collect()
    }

    fn expected(list: &[(&str, Relation, bool)]) -> Vec<(String, Option<Relation>, bool)> {
        list.iter().map(|(version, relation, major)| ((*version).to_owned(), Some(*relation), *major)).collect()
    }

    #[test]
    fn candidates_are_told_by_their_relation_to_what_runs() {
        use Relation::{Current, Newer, Older};
        let known = known(&["2.0.0", "1.2.3", "1.2.2"]);
        assert_eq!(
            told(&known, false, Some("1.2.3")),
            expected(&[("2.0.0", Newer, true), ("1.2.3", Current, false), ("1.2.2", Older, false)])
        );
        // The major version alone is no reason to think of a way up.
        assert_eq!(told(&known, false, Some("2.0.0"))[1], ("1.2.3".to_owned(), Some(Older), true));
    }

    #[test]
    fn without_knowing_what_runs_nothing_is_newer_or_older() {
        assert_eq!(told(&known(&["1.2.3"]), false, None), [("1.2.3".to_owned(), None, false)]);
    }

    #[test]
    fn the_tip_comes_first_as_a_build_on_the_newest_release() {
        let found = candidates(&known(&["1.2.3", "1.2.2"]), true, Version::parse("1.2.3").ok().as_ref());
        let first = &found[0];
        assert_eq!((first.version.as_str(), first.tag.as_str()), ("1.2.3-commit.0a1b2c3", "v1.2.3-commit.0a1b2c3"));
        assert_eq!((first.kind, first.relation, first.commit.as_str()), (Kind::Commit, Some(Relation::Newer), TIP));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_tip_that_runs_is_current_by_whatever_of_its_digits_and_another_commit_is_older() {
        let known = known(&["1.2.3"]);
        for running in ["1.2.3-commit.0a1b2c3", &format!("1.2.3-commit.{TIP}")] {
            assert_eq!(told(&known, true, Some(running))[0].1, Some(Relation::Current), "{running}");
        }
        assert_eq!(told(&known, true, Some("1.2.3-commit.fffffff"))[0].1, Some(Relation::Newer));
        assert_eq!(told(&known, true, Some("1.2.3-commit.fffffff"))[1].1, Some(Relation::Older));
    }

    #[test]
    fn a_tip_that_is_a_release_is_no_candidate_of_its_own() {
        let mut released = known(&["1.2.3", "1.2.2"]);
        released.releases[1].commit = TIP.to_owned();
        assert_eq!(candidates(&released, true, None).len(), 2);
        assert!(candidates(&known(&[]), true, None).is_empty());
    }
}
