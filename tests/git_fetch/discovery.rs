use std::fmt::Write;
use std::time::Duration;

use axum::http::Method;
use windlass::git::{
    DISCOVERY_BYTES, Discovery, DiscoveryLimits, GitError, Head, Remote, RemotePolicy, RemoteTag, discover,
};

use crate::git_server::{GitServer, Manner, SHORT, git, make_repository};
use crate::site::{DEVELOPMENT, PLANTED, PRODUCTION, Site};

async fn discovered(site: &Site) -> Result<Discovery, GitError> {
    discover(&site.remote("app"), &DiscoveryLimits::default()).await
}

/// As [`discovered`], on a machine that is busy with other things.
async fn patiently(site: &Site) -> Result<Discovery, GitError> {
    let long = Duration::from_secs(300);
    discover(&site.remote("app"), &DiscoveryLimits { max_duration: long, max_idle: long }).await
}

fn head(branch: &str, commit: &str) -> Option<Head> {
    Some(Head { branch: branch.into(), commit: commit.into() })
}

#[tokio::test]
async fn tags_are_found_with_their_commits_and_the_default_branch_with_its_tip() {
    for manner in [Manner::Plain, Manner::OlderProtocol] {
        let site = Site::new(manner).await;
        let first = site.repository(&[("a", "1")], &["v1.0.0"]);
        let second = site.repository(&[("a", "2")], &["v1.1.0"]);
        let app = site.root.path().join("app");
        git(&app, &["tag", "nightly"]);
        git(&app, &["tag", "--annotate", "--message", "twice", "again", "v1.0.0"]);
        let tip = site.repository(&[("a", "3")], &[]);
        git(&app, &["branch", "other", &first]);
        let found = discovered(&site).await.unwrap();
        let tag = |name: &str, commit: &String| RemoteTag { name: name.into(), commit: commit.clone() };
        let expected = [tag("again", &first), tag("nightly", &second), tag("v1.0.0", &first), tag("v1.1.0", &second)];
        assert_eq!(found.tags, expected);
        assert_eq!(found.head, head("main", &tip));
    }
}

#[tokio::test]
async fn a_discovery_costs_two_requests_and_sees_a_branch_move() {
    let site = Site::new(Manner::Plain).await;
    let before = site.repository(&[("a", "1")], &[]);
    assert_eq!(discovered(&site).await.unwrap().head, head("main", &before));
    assert_eq!(site.server.seen().len(), 2);
    let after = site.repository(&[("a", "2")], &[]);
    git(&site.root.path().join("app"), &["branch", "--move", "release/next"]);
    assert_eq!(discovered(&site).await.unwrap().head, head("release/next", &after));
}

#[tokio::test]
async fn a_head_on_no_branch_is_no_default_branch() {
    let site = Site::new(Manner::Plain).await;
    let commit = site.repository(&[("a", "1")], &["v1.0.0"]);
    git(&site.root.path().join("app"), &["checkout", "--quiet", &commit]);
    let found = discovered(&site).await.unwrap();
    assert_eq!((found.tags.len(), found.head), (1, None));
}

#[tokio::test]
async fn an_empty_repository_offers_nothing() {
    for manner in [Manner::Plain, Manner::OlderProtocol] {
        let site = Site::new(manner).await;
        git(site.root.path(), &["init", "--quiet", "app"]);
        assert_eq!(discovered(&site).await, Ok(Discovery { tags: vec![], head: None }));
    }
}

#[tokio::test]
async fn what_is_no_repository_is_called_so_and_not_asked_again() {
    let missing = Site::new(Manner::Plain).await;
    let page = Site::new(Manner::WebPage).await;
    for site in [missing, page] {
        let refused = discovered(&site).await.unwrap_err();
        assert!(matches!(refused, GitError::NotAGitRemote(_)), "{refused:?}");
        assert!(!refused.is_retryable());
    }
}

#[tokio::test]
async fn a_remote_that_wants_a_password_gets_the_one_it_was_given_or_a_refusal() {
    let manner = Manner::RequireBasic { user: "x-access-token".into(), password: PLANTED.into() };
    let site = Site::new(manner).await;
    let commit = site.repository(&[("a", "1")], &["v1.0.0"]);
    assert_eq!(discovered(&site).await, Err(GitError::AuthenticationRequired));
    let wrong = site.remote("app").with_token("wr0ng-s3cret");
    assert_eq!(discover(&wrong, &DiscoveryLimits::default()).await, Err(GitError::AuthenticationRequired));
    let right = site.remote("app").with_token(PLANTED);
    let found = discover(&right, &DiscoveryLimits::default()).await.unwrap();
    assert_eq!(found.head, head("main", &commit));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_and_never_followed() {
    let root = tempfile::tempdir().unwrap();
    make_repository(&root.path().join("app"), &[("a", "1")], &["v1.0.0"]);
    let elsewhere = GitServer::start(root.path(), Manner::Plain).await;
    for (target, shown) in [
        (format!("http://localhost:{}", elsewhere.port()), "localhost"),
        (elsewhere.url("").trim_end_matches('/').to_owned(), "127.0.0.1"),
        ("http://169.254.169.254".to_owned(), "169.254.169.254"),
        ("file:///etc".to_owned(), "another protocol"),
    ] {
        let site = Site::new(Manner::RedirectTo(target)).await;
        let remote = site.remote("app").with_token(PLANTED);
        let refused = discover(&remote, &DiscoveryLimits::default()).await;
        assert_eq!(refused, Err(GitError::RedirectRefused(shown.into())));
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed() {
    let site = Site::new(Manner::Renamed).await;
    let commit = site.repository(&[("a", "1")], &[]);
    let found = discover(&site.remote("moved/app"), &DiscoveryLimits::default()).await.unwrap();
    assert_eq!(found.head, head("main", &commit));
}

#[tokio::test]
async fn loopback_is_refused_in_production_and_metadata_everywhere_before_anything_is_sent() {
    let site = Site::new(Manner::Plain).await;
    let url = format!("https://localhost:{}/app", site.server.port());
    let remote = Remote::parse(&url, &PRODUCTION).unwrap();
    let refused = discover(&remote, &DiscoveryLimits::default()).await.unwrap_err();
    assert!(matches!(refused, GitError::AddressRefused { .. }), "{refused:?}");
    assert!(site.server.seen().is_empty());
    let refused = |url: &str, policy: &RemotePolicy| {
        let error = Remote::parse(url, policy).unwrap_err();
        assert!(matches!(error, GitError::AddressRefused { .. }), "{url}: {error:?}");
    };
    refused("https://127.0.0.1/app", &PRODUCTION);
    refused("https://10.0.0.1/app", &PRODUCTION);
    for policy in [&PRODUCTION, &DEVELOPMENT] {
        refused("https://169.254.169.254/app", policy);
        refused("https://168.63.129.16/app", policy);
    }
}

/// As many tags as `count`, packed as git packs them.
fn with_tags(site: &Site, count: usize) {
    let commit = site.repository(&[("a", "1")], &[]);
    let mut packed = "# pack-refs with: peeled fully-peeled sorted\n".to_owned();
    for number in 0..count {
        writeln!(packed, "{commit} refs/tags/v1.0.{number:06}").unwrap();
    }
    std::fs::write(site.root.path().join("app/.git/packed-refs"), packed).unwrap();
}

#[tokio::test]
async fn a_long_list_is_read_and_one_beyond_the_limit_is_not() {
    let site = Site::new(Manner::Plain).await;
    with_tags(&site, 50_000);
    assert_eq!(patiently(&site).await.unwrap().tags.len(), 50_000);
    with_tags(&site, 70_000);
    assert_eq!(patiently(&site).await, Err(GitError::TooLarge { limit: DISCOVERY_BYTES }));
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_at_the_limit() {
    for method in [Method::GET, Method::POST] {
        let site = Site::new(Manner::Endless(method)).await;
        site.repository(&[("a", "1")], &[]);
        let refused = patiently(&site).await;
        assert_eq!(refused, Err(GitError::TooLarge { limit: DISCOVERY_BYTES }));
        assert!(!refused.unwrap_err().is_retryable());
    }
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up_though_it_is_never_silent() {
    for method in [Method::GET, Method::POST] {
        let site = Site::new(Manner::Dripping(method)).await;
        site.repository(&[("a", "1")], &[]);
        let limits = DiscoveryLimits { max_duration: SHORT, ..DiscoveryLimits::default() };
        let given_up = discover(&site.remote("app"), &limits).await;
        assert_eq!(given_up, Err(GitError::TimedOut(SHORT)));
        assert!(given_up.unwrap_err().is_retryable());
    }
}

#[tokio::test]
async fn a_remote_that_does_not_answer_is_given_up() {
    let site = Site::new(Manner::Silent).await;
    let limits = DiscoveryLimits { max_idle: SHORT, ..DiscoveryLimits::default() };
    assert_eq!(discover(&site.remote("app"), &limits).await, Err(GitError::TimedOut(SHORT)));
}

#[tokio::test]
async fn a_server_in_trouble_is_worth_another_try() {
    for status in [429, 500, 503] {
        let site = Site::new(Manner::Status(status)).await;
        let error = discovered(&site).await.unwrap_err();
        assert!(error.is_retryable() && error.retry_after().is_some(), "{error:?}");
    }
}
