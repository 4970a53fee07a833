use std::path::PathBuf;

use windlass::git::{ArchiveLimits, ArchiveRequest, FetchLimits, Fetched, GitError, Sha, Target, archive, fetch};

use crate::git_server::{Manner, git};
use crate::site::Site;

impl Site {
    fn app(&self) -> PathBuf {
        self.root.path().join("app")
    }

    async fn commit(&self, sha: &str) -> Result<Fetched, GitError> {
        let target = Target::Commit(Sha::parse(sha).unwrap());
        fetch(&self.remote("app"), &target, &FetchLimits::default(), self.work.path()).await
    }
}

fn not_found(sha: &str) -> Result<Fetched, GitError> {
    Err(GitError::CommitNotFound { commit: sha.into() })
}

#[tokio::test]
async fn a_branchs_tip_is_fetched_by_the_beginning_of_its_name_and_by_all_of_it() {
    for manner in [Manner::Plain, Manner::OlderProtocol] {
        let site = Site::new(manner).await;
        site.repository(&[("a", "1")], &["v1.0.0"]);
        let tip = site.repository(&[("a", "2"), ("Dockerfile", "FROM scratch")], &[]);
        for sha in [&tip[..7], &tip[..12], &tip, &tip[..7].to_ascii_uppercase()] {
            let fetched = site.commit(sha).await.unwrap();
            let repository = site.work.path().join("repo");
            assert_eq!(fetched, Fetched { repository, commit: tip.clone(), tag_object: None });
        }
    }
}

#[tokio::test]
async fn a_commit_comes_without_history() {
    let site = Site::new(Manner::Plain).await;
    let inner = site.repository(&[("a", "1")], &[]);
    let middle = site.repository(&[("a", "2")], &[]);
    let tip = site.repository(&[("a", "3")], &[]);
    for (sha, commit) in [(&tip[..7], &tip), (&middle, &middle), (&inner, &inner)] {
        let fetched = site.commit(sha).await.unwrap();
        assert_eq!(git(&fetched.repository, &["rev-list", "--all"]), *commit);
    }
}

#[tokio::test]
async fn a_fetched_commit_is_packed_like_a_tag() {
    let site = Site::new(Manner::Plain).await;
    let tip = site.repository(&[("Dockerfile", "FROM scratch"), ("a", "1")], &["v1.0.0"]);
    let mut packed = Vec::new();
    for fetched in [site.fetch("v1.0.0").await.unwrap(), site.commit(&tip[..7]).await.unwrap()] {
        let request = ArchiveRequest {
            repository: fetched.repository,
            commit: fetched.commit,
            context: String::new(),
            dockerfiles: vec!["Dockerfile".into()],
        };
        let out = site.work.path().join("context.tar.gz");
        packed.push(archive(&request, &out, &ArchiveLimits::default()).await.unwrap());
    }
    assert_eq!(packed[0], packed[1]);
    assert_eq!(packed[0].files, 2);
}

#[tokio::test]
async fn a_tags_commit_is_found_by_the_beginning_of_its_name() {
    let site = Site::new(Manner::Plain).await;
    let tagged = site.repository(&[("a", "1")], &["v1.0.0"]);
    site.repository(&[("a", "2")], &[]);
    assert_eq!(site.commit(&tagged[..7]).await.unwrap().commit, tagged);
}

#[tokio::test]
async fn a_branch_that_moved_on_has_left_its_short_name_behind() {
    let site = Site::new(Manner::Plain).await;
    let before = site.repository(&[("a", "1")], &[]);
    assert_eq!(site.commit(&before[..7]).await.unwrap().commit, before);
    let after = site.repository(&[("a", "2")], &[]);
    assert_eq!(site.commit(&before[..7]).await, not_found(&before[..7]));
    assert_eq!(site.commit(&before).await.unwrap().commit, before);
    assert_eq!(site.commit(&after[..7]).await.unwrap().commit, after);
}

#[tokio::test]
async fn a_commit_below_a_branch_is_fetched_by_its_whole_name() {
    for manner in [Manner::Plain, Manner::OlderProtocol] {
        let site = Site::new(manner).await;
        let inner = site.repository(&[("a", "1")], &[]);
        site.repository(&[("a", "2")], &[]);
        git(&site.app(), &["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        assert_eq!(site.commit(&inner).await.unwrap().commit, inner);
    }
}

#[tokio::test]
async fn a_commit_that_was_left_behind_is_fetched_where_the_server_gives_it() {
    let site = Site::new(Manner::OlderProtocol).await;
    let kept = site.repository(&[("a", "1")], &[]);
    let left = site.repository(&[("a", "2")], &[]);
    git(&site.app(), &["reset", "--quiet", "--hard", &kept]);
    let refused = site.commit(&left).await;
    assert_eq!(refused, not_found(&left));
    assert!(!refused.unwrap_err().is_retryable());
    git(&site.app(), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    assert_eq!(site.commit(&left).await.unwrap().commit, left);
}

#[tokio::test]
async fn a_commit_that_nobody_has_is_named() {
    for manner in [Manner::Plain, Manner::OlderProtocol] {
        let site = Site::new(manner).await;
        site.repository(&[("a", "1")], &["v1.0.0"]);
        for sha in ["0123456789abcdef0123456789abcdef01234567", "0123456", &"0".repeat(64)] {
            assert_eq!(site.commit(sha).await, not_found(sha));
        }
    }
}

#[tokio::test]
async fn an_empty_repository_is_told_from_a_missing_commit() {
    for manner in [Manner::Plain, Manner::OlderProtocol] {
        let site = Site::new(manner).await;
        git(site.root.path(), &["init", "--quiet", "app"]);
        assert_eq!(site.commit("0123456").await, Err(GitError::EmptyRepository));
    }
}

#[tokio::test]
async fn a_name_that_fits_two_commits_is_refused() {
    let site = Site::new(Manner::Plain).await;
    let (one, other) = two_alike(&site);
    let refused = site.commit(&one[..7]).await;
    assert_eq!(refused, Err(GitError::AmbiguousCommit { commit: one[..7].into() }));
    assert!(!refused.unwrap_err().is_retryable());
    assert_eq!(site.commit(&one).await.unwrap().commit, one);
    assert_eq!(site.commit(&other[..12]).await.unwrap().commit, other);
}

/// Two branches at commits whose names begin alike, as those with these two messages do.
fn two_alike(site: &Site) -> (String, String) {
    site.repository(&[], &[]);
    let tree = git(&site.app(), &["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let commits = ["1277", "6828"].map(|message| {
        let commit = git(&site.app(), &["commit-tree", &tree, "-m", message]);
        git(&site.app(), &["branch", message, &commit]);
        commit
    });
    assert_eq!(commits[0][..7], commits[1][..7]);
    commits.into()
}

#[tokio::test]
async fn two_branches_at_one_commit_are_no_two_commits() {
    let site = Site::new(Manner::Plain).await;
    let tip = site.repository(&[("a", "1")], &["v1.0.0"]);
    git(&site.app(), &["branch", "other"]);
    assert_eq!(site.commit(&tip[..7]).await.unwrap().commit, tip);
}

#[tokio::test]
async fn what_others_put_beside_the_branches_does_not_count() {
    for manner in [Manner::Plain, Manner::OlderProtocol] {
        let site = Site::new(manner).await;
        let main = site.repository(&[("a", "1")], &[]);
        let proposed = site.repository(&[("a", "2")], &[]);
        git(&site.app(), &["update-ref", "refs/pull/1/head", &proposed]);
        git(&site.app(), &["reset", "--quiet", "--hard", &main]);
        assert_eq!(site.commit(&proposed[..7]).await, not_found(&proposed[..7]));
        // Somebody who writes all of it means it.
        assert_eq!(site.commit(&proposed).await.unwrap().commit, proposed);
    }
}

#[tokio::test]
async fn an_object_that_is_no_commit_is_no_commit() {
    let site = Site::new(Manner::Plain).await;
    site.repository(&[("a", "1")], &["v1.0.0"]);
    git(&site.app(), &["tag", "file", "HEAD:a"]);
    for object in ["v1.0.0", "HEAD:a", "HEAD^{tree}"] {
        let name = git(&site.app(), &["rev-parse", object]);
        assert_eq!(site.commit(&name).await, not_found(&name), "{object}");
    }
    let file = git(&site.app(), &["rev-parse", "HEAD:a"]);
    assert_eq!(site.commit(&file[..7]).await, not_found(&file[..7]));
}
