use std::time::Duration;

use windlass::git::{FetchLimits, GitError, Remote, fetch};

use crate::git_server::{GitServer, Manner, SHORT, git, make_repository};
use crate::site::{DEVELOPMENT, PLANTED, Site, tagged};

#[tokio::test]
async fn a_tag_is_fetched_with_its_commit_and_without_history() {
    let site = Site::new(Manner::Plain).await;
    let first = site.repository(&[("a", "1")], &["v1.0.0"]);
    let second = site.repository(&[("a", "2")], &["v1.2.3", "v1.2.3-rc.1"]);
    let fetched = site.fetch("v1.2.3").await.unwrap();
    assert_eq!(fetched.commit, second);
    assert_eq!(fetched.tag_object, Some(git(&site.root.path().join("app"), &["rev-parse", "v1.2.3"])));
    assert_eq!(fetched.repository, site.work.path().join("repo"));
    assert_eq!(git(&fetched.repository, &["rev-list", "--all"]), second);
    assert_eq!(git(&fetched.repository, &["for-each-ref", "--format=%(refname)"]), "refs/tags/v1.2.3");
    // A second attempt starts anew, whatever the first one left.
    let again = site.fetch("v1.0.0").await.unwrap();
    assert_eq!(again.commit, first);
    assert_eq!(git(&again.repository, &["rev-list", "--all"]), first);
}

#[tokio::test]
async fn a_plain_tag_has_no_object_of_its_own() {
    let site = Site::new(Manner::Plain).await;
    let commit = site.repository(&[("a", "1")], &[]);
    git(&site.root.path().join("app"), &["tag", "v1.0.0"]);
    let fetched = site.fetch("v1.0.0").await.unwrap();
    assert_eq!((fetched.commit, fetched.tag_object), (commit, None));
}

#[tokio::test]
async fn a_missing_tag_is_named() {
    let site = Site::new(Manner::Plain).await;
    site.repository(&[("a", "1")], &["v1.2.3-rc.1"]);
    assert_eq!(site.fetch("v1.2.3").await, Err(GitError::TagNotFound { tag: "v1.2.3".into() }));
    assert_eq!(site.fetch("../evil").await, Err(GitError::TagNotFound { tag: "../evil".into() }));
}

#[tokio::test]
async fn an_empty_repository_is_told_from_a_missing_tag() {
    let site = Site::new(Manner::Plain).await;
    git(site.root.path(), &["init", "--quiet", "app"]);
    assert_eq!(site.fetch("v1.2.3").await, Err(GitError::EmptyRepository));
}

#[tokio::test]
async fn a_tag_on_a_file_is_no_release() {
    let site = Site::new(Manner::Plain).await;
    site.repository(&[("a", "1")], &[]);
    git(&site.root.path().join("app"), &["tag", "v1.0.0", "HEAD:a"]);
    assert_eq!(site.fetch("v1.0.0").await, Err(GitError::NotACommit { tag: "v1.0.0".into() }));
}

#[tokio::test]
async fn what_is_no_repository_is_called_so() {
    let site = Site::new(Manner::Plain).await;
    let found = site.fetch("v1.0.0").await;
    assert!(matches!(found, Err(GitError::NotAGitRemote(_))), "{found:?}");
    let site = Site::new(Manner::WebPage).await;
    let found = site.fetch("v1.0.0").await;
    assert!(matches!(found, Err(GitError::NotAGitRemote(_))), "{found:?}");
    assert!(!found.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_remote_that_wants_a_password_gets_the_one_it_was_given_or_a_refusal() {
    let manner = Manner::RequireBasic { user: "robot".into(), password: PLANTED.into() };
    let site = Site::new(manner).await;
    let commit = site.repository(&[("a", "1")], &["v1.0.0"]);
    assert_eq!(site.fetch("v1.0.0").await, Err(GitError::AuthenticationRequired));
    let with_credential = site.server.url("app").replace("http://", &format!("http://robot:{PLANTED}@"));
    let remote = Remote::parse(&with_credential, &DEVELOPMENT).unwrap();
    let fetched = fetch(&remote, &tagged("v1.0.0"), &FetchLimits::default(), site.work.path()).await.unwrap();
    assert_eq!(fetched.commit, commit);
    let wrong = Remote::parse(&with_credential.replace(PLANTED, "wr0ng-s3cret"), &DEVELOPMENT).unwrap();
    let refused = fetch(&wrong, &tagged("v1.0.0"), &FetchLimits::default(), site.work.path()).await;
    assert_eq!(refused, Err(GitError::AuthenticationRequired));
}

#[tokio::test]
async fn no_credential_survives_in_the_workspace() {
    let manner = Manner::RequireBasic { user: "x-access-token".into(), password: PLANTED.into() };
    let site = Site::new(manner).await;
    site.repository(&[("a", "1")], &["v1.0.0"]);
    let remote = site.remote("app").with_token(PLANTED);
    fetch(&remote, &tagged("v1.0.0"), &FetchLimits::default(), site.work.path()).await.unwrap();
    let mut pending = vec![site.work.path().to_owned()];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        files += 1;
        let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        assert!(!content.contains(PLANTED) && !content.contains("x-access-token"), "{path:?}");
    }
    assert!(files > 2);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_and_never_followed() {
    let root = tempfile::tempdir().unwrap();
    make_repository(&root.path().join("app"), &[("a", "1")], &["v1.0.0"]);
    let elsewhere = GitServer::start(root.path(), Manner::Plain).await;
    for target in [format!("http://localhost:{}", elsewhere.port()), elsewhere.url("").trim_end_matches('/').to_owned()]
    {
        let site = Site::new(Manner::RedirectTo(target)).await;
        let remote = site.remote("app").with_token(PLANTED);
        let refused = fetch(&remote, &tagged("v1.0.0"), &FetchLimits::default(), site.work.path()).await;
        assert!(matches!(refused, Err(GitError::RedirectRefused(_))), "{refused:?}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_three_times() {
    let site = Site::new(Manner::Renamed).await;
    let commit = site.repository(&[("a", "1")], &["v1.0.0"]);
    let fetch_at = |name: &'static str| {
        let (remote, work) = (site.remote(name), site.work.path());
        async move { fetch(&remote, &tagged("v1.0.0"), &FetchLimits::default(), work).await }
    };
    assert_eq!(fetch_at("moved/moved/moved/app").await.unwrap().commit, commit);
    let circle = fetch_at("moved/moved/moved/moved/app").await;
    assert!(matches!(circle, Err(GitError::NotAGitRemote(_))), "{circle:?}");
}

#[tokio::test]
async fn a_pack_over_the_limit_is_cut_off() {
    let site = Site::new(Manner::Plain).await;
    let noise: String = (0..400_000).map(|_| fastrand::alphanumeric()).collect();
    site.repository(&[("noise", &noise)], &["v1.0.0"]);
    let limits = FetchLimits { max_pack_bytes: 100_000, ..FetchLimits::default() };
    let refused = fetch(&site.remote("app"), &tagged("v1.0.0"), &limits, site.work.path()).await;
    assert_eq!(refused, Err(GitError::TooLarge { limit: 100_000 }));
}

#[tokio::test]
async fn an_object_that_unpacks_to_more_than_its_limit_is_refused() {
    let site = Site::new(Manner::Plain).await;
    site.repository(&[("bomb", &"0".repeat(3_000_000))], &["v1.0.0"]);
    let limits = FetchLimits { max_object_bytes: 1_000_000, ..FetchLimits::default() };
    let refused = fetch(&site.remote("app"), &tagged("v1.0.0"), &limits, site.work.path()).await;
    assert_eq!(refused, Err(GitError::TooLarge { limit: 1_000_000 }));
}

#[tokio::test]
async fn a_remote_that_does_not_answer_is_given_up() {
    let silent = Site::new(Manner::Silent).await;
    let stalling = Site::new(Manner::StallsInFetch).await;
    stalling.repository(&[("a", "1")], &["v1.0.0"]);
    for site in [silent, stalling] {
        for limits in [
            FetchLimits { max_idle: SHORT, ..FetchLimits::default() },
            FetchLimits { max_duration: SHORT, ..FetchLimits::default() },
        ] {
            let given_up = fetch(&site.remote("app"), &tagged("v1.0.0"), &limits, site.work.path()).await;
            assert_eq!(given_up, Err(GitError::TimedOut(SHORT)));
            assert!(given_up.unwrap_err().is_retryable());
        }
    }
}

#[tokio::test]
async fn a_server_in_trouble_is_worth_another_try_and_a_closed_port_too() {
    for status in [429, 500, 503] {
        let site = Site::new(Manner::Status(status)).await;
        let error = site.fetch("v1.0.0").await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    }
    let closed = Remote::parse("http://127.0.0.1:1/app", &DEVELOPMENT).unwrap();
    let work = tempfile::tempdir().unwrap();
    let error = fetch(&closed, &tagged("v1.0.0"), &FetchLimits::default(), work.path()).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error:?}");
}
