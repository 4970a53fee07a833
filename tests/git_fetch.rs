//! Fetching and packing against git's own server.

#[path = "support/git_server.rs"]
mod git_server;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use git_server::{GitServer, Manner, SHORT, git, make_repository};
use windlass::git::{
    Archive, ArchiveError, ArchiveLimits, ArchiveRequest, FetchLimits, Fetched, GitError, Remote, RemotePolicy,
    archive, fetch, list_tags,
};

const DEVELOPMENT: RemotePolicy = RemotePolicy { allow_http: true, allow_private: true };
const PLANTED: &str = "pl4nted-s3cret";

struct Site {
    root: tempfile::TempDir,
    work: tempfile::TempDir,
    server: GitServer,
}

impl Site {
    async fn new(manner: Manner) -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = GitServer::start(root.path(), manner).await;
        Self { root, work: tempfile::tempdir().unwrap(), server }
    }

    fn remote(&self, name: &str) -> Remote {
        Remote::parse(&self.server.url(name), &DEVELOPMENT).unwrap()
    }

    fn repository(&self, files: &[(&str, &str)], tags: &[&str]) -> String {
        make_repository(&self.root.path().join("app"), files, tags)
    }

    async fn fetch(&self, tag: &str) -> Result<Fetched, GitError> {
        fetch(&self.remote("app"), tag, &FetchLimits::default(), self.work.path()).await
    }
}

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
    assert_eq!(list_tags(&site.remote("app"), &FetchLimits::default()).await, Ok(vec![]));
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
    let fetched = fetch(&remote, "v1.0.0", &FetchLimits::default(), site.work.path()).await.unwrap();
    assert_eq!(fetched.commit, commit);
    assert_eq!(list_tags(&remote, &FetchLimits::default()).await.unwrap().len(), 1);
    let wrong = Remote::parse(&with_credential.replace(PLANTED, "wr0ng-s3cret"), &DEVELOPMENT).unwrap();
    let refused = fetch(&wrong, "v1.0.0", &FetchLimits::default(), site.work.path()).await;
    assert_eq!(refused, Err(GitError::AuthenticationRequired));
}

#[tokio::test]
async fn no_credential_survives_in_the_workspace() {
    let manner = Manner::RequireBasic { user: "x-access-token".into(), password: PLANTED.into() };
    let site = Site::new(manner).await;
    site.repository(&[("a", "1")], &["v1.0.0"]);
    let remote = site.remote("app").with_token(PLANTED);
    fetch(&remote, "v1.0.0", &FetchLimits::default(), site.work.path()).await.unwrap();
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
        let refused = fetch(&remote, "v1.0.0", &FetchLimits::default(), site.work.path()).await;
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
        async move { fetch(&remote, "v1.0.0", &FetchLimits::default(), work).await }
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
    let refused = fetch(&site.remote("app"), "v1.0.0", &limits, site.work.path()).await;
    assert_eq!(refused, Err(GitError::TooLarge { limit: 100_000 }));
}

#[tokio::test]
async fn an_object_that_unpacks_to_more_than_its_limit_is_refused() {
    let site = Site::new(Manner::Plain).await;
    site.repository(&[("bomb", &"0".repeat(3_000_000))], &["v1.0.0"]);
    let limits = FetchLimits { max_object_bytes: 1_000_000, ..FetchLimits::default() };
    let refused = fetch(&site.remote("app"), "v1.0.0", &limits, site.work.path()).await;
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
            let given_up = fetch(&site.remote("app"), "v1.0.0", &limits, site.work.path()).await;
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
    let error = fetch(&closed, "v1.0.0", &FetchLimits::default(), work.path()).await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn tags_are_listed_with_their_commits() {
    let site = Site::new(Manner::Plain).await;
    let first = site.repository(&[("a", "1")], &["v1.0.0"]);
    let second = site.repository(&[("a", "2")], &["v1.1.0"]);
    git(&site.root.path().join("app"), &["tag", "nightly"]);
    let tags = list_tags(&site.remote("app"), &FetchLimits::default()).await.unwrap();
    let tags: Vec<_> = tags.iter().map(|tag| (tag.name.as_str(), tag.commit.as_str())).collect();
    assert_eq!(tags, [("nightly", second.as_str()), ("v1.0.0", &first), ("v1.1.0", &second)]);
}

/// An entry of an archive: its kind and mode, and its content or link target.
type Entries = BTreeMap<String, (char, u32, String)>;

fn unpack(path: &Path) -> Entries {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let mut entries = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let kind = match header.entry_type() {
            tar::EntryType::Directory => 'd',
            tar::EntryType::Symlink => 'l',
            _ => 'f',
        };
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 946_684_800));
        let mut content = String::new();
        match entry.link_name().unwrap() {
            Some(target) => content = target.to_str().unwrap().to_owned(),
            None => {
                entry.read_to_string(&mut content).unwrap();
            }
        }
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        entries.insert(name, (kind, header.mode().unwrap(), content));
    }
    entries
}

/// A repository on disk, archived without a server in between.
struct Packed {
    dir: tempfile::TempDir,
    commit: String,
}

impl Packed {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let commit = make_repository(dir.path(), files, &[]);
        Self { dir, commit }
    }

    fn request(&self, context: &str, dockerfiles: &[&str]) -> ArchiveRequest {
        ArchiveRequest {
            repository: self.dir.path().join(".git"),
            commit: self.commit.clone(),
            context: context.into(),
            dockerfiles: dockerfiles.iter().map(|path| (*path).into()).collect(),
        }
    }

    async fn pack(&self, context: &str, dockerfiles: &[&str]) -> Result<(Archive, Entries), ArchiveError> {
        let out = self.dir.path().join("out.tar.gz");
        let archive = archive(&self.request(context, dockerfiles), &out, &ArchiveLimits::default()).await?;
        Ok((archive, unpack(&out)))
    }
}

fn names(entries: &Entries) -> Vec<&str> {
    entries.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_commit_becomes_an_archive_with_directories_links_and_modes() {
    let mut packed = Packed::new(&[("Dockerfile", "FROM scratch"), ("src/main.rs", "fn main() {}"), ("run.sh", "#!")]);
    let dir = packed.dir.path();
    std::os::unix::fs::symlink("../run.sh", dir.join("src/link")).unwrap();
    git(dir, &["add", "--all"]);
    git(dir, &["update-index", "--chmod=+x", "run.sh"]);
    git(dir, &["update-index", "--add", "--cacheinfo", &format!("160000,{},vendored", packed.commit)]);
    git(dir, &["commit", "--quiet", "--message", "more"]);
    packed.commit = git(dir, &["rev-parse", "HEAD"]);
    let (archive, entries) = packed.pack("", &["Dockerfile"]).await.unwrap();
    let entry = |kind, mode, content: &str| (kind, mode, content.to_owned());
    let expected = BTreeMap::from([
        ("Dockerfile".to_owned(), entry('f', 0o644, "FROM scratch")),
        ("run.sh".to_owned(), entry('f', 0o755, "#!")),
        ("src/".to_owned(), entry('d', 0o755, "")),
        ("src/link".to_owned(), entry('l', 0o777, "../run.sh")),
        ("src/main.rs".to_owned(), entry('f', 0o644, "fn main() {}")),
        ("vendored/".to_owned(), entry('d', 0o755, "")),
    ]);
    assert_eq!(entries, expected);
    assert_eq!(archive.files, 6);
    assert_eq!(archive.dockerfiles, BTreeMap::from([("Dockerfile".to_owned(), "Dockerfile".to_owned())]));
}

#[tokio::test]
async fn two_archives_of_one_commit_are_the_same_bytes() {
    use sha2::Digest;
    let packed = Packed::new(&[("Dockerfile", "FROM scratch"), ("a/b/c", "1")]);
    let (first, _) = packed.pack("", &["Dockerfile"]).await.unwrap();
    let bytes = std::fs::read(packed.dir.path().join("out.tar.gz")).unwrap();
    assert_eq!(first.bytes, bytes.len() as u64);
    assert_eq!(first.sha256, hex::encode(sha2::Sha256::digest(&bytes)));
    let (second, _) = packed.pack("", &["Dockerfile"]).await.unwrap();
    assert_eq!(first, second);
    let elsewhere = Packed::new(&[("Dockerfile", "FROM scratch"), ("a/b/c", "1")]);
    assert_eq!(elsewhere.pack("", &["Dockerfile"]).await.unwrap().0.sha256, first.sha256);
}

#[tokio::test]
async fn ignored_files_stay_out_and_an_ignored_dockerfile_comes_back_under_a_name_of_its_own() {
    let packed = Packed::new(&[
        (".dockerignore", "docker\n*.md\nsecret\n!secret/but/this\n"),
        (".gitignore", "target"),
        ("README.md", "read me"),
        ("app.py", "print()"),
        ("docker/api.Dockerfile", "FROM api"),
        ("secret/key", "k"),
        ("secret/but/this", "t"),
        ("secret/but/that", "t"),
        ("sub/.gitignore", "x"),
    ]);
    let (archive, entries) = packed.pack("", &["docker/api.Dockerfile"]).await.unwrap();
    let path = &archive.dockerfiles["docker/api.Dockerfile"];
    let (tag, base) = path.split_once('_').unwrap();
    assert!(tag.len() == 32 && tag.bytes().all(|b| b.is_ascii_hexdigit()) && base == "api.Dockerfile", "{path}");
    assert_eq!(entries[path].2, "FROM api");
    let mut expected =
        vec![".dockerignore", "app.py", "secret/", "secret/but/", "secret/but/this", "sub/", "sub/.gitignore", path];
    expected.sort_unstable();
    assert_eq!(names(&entries), expected);
}

#[tokio::test]
async fn a_context_below_the_root_has_its_own_rules_and_may_be_built_by_a_dockerfile_outside() {
    let packed = Packed::new(&[
        (".dockerignore", "*"),
        ("web/.dockerignore", "tmp"),
        ("web/index.html", "<p>"),
        ("web/tmp/x", "x"),
        ("web/Dockerfile", "FROM web"),
        ("docker/Dockerfile", "FROM other"),
        ("api/main.rs", ""),
    ]);
    let (archive, entries) = packed.pack("./web/", &["web/Dockerfile", "docker/Dockerfile"]).await.unwrap();
    assert_eq!(archive.dockerfiles["web/Dockerfile"], "Dockerfile");
    let other = &archive.dockerfiles["docker/Dockerfile"];
    assert_eq!(entries[other].2, "FROM other");
    let mut expected = vec![".dockerignore", "Dockerfile", "index.html", other.as_str()];
    expected.sort_unstable();
    assert_eq!(names(&entries), expected);
}

#[tokio::test]
async fn a_dockerfiles_own_ignore_file_replaces_the_contexts() {
    let packed = Packed::new(&[
        (".dockerignore", "a"),
        ("api.Dockerfile", "FROM api"),
        ("api.Dockerfile.dockerignore", "b"),
        ("web.Dockerfile", "FROM web"),
        ("a", "1"),
        ("b", "2"),
    ]);
    let (_, entries) = packed.pack("", &["api.Dockerfile"]).await.unwrap();
    let found = names(&entries);
    assert!(found.contains(&"a") && !found.contains(&"b") && !found.contains(&".dockerignore"), "{found:?}");
    let both = packed.pack("", &["api.Dockerfile", "web.Dockerfile"]).await;
    assert_eq!(both.err(), Some(ArchiveError::IgnoresDiffer("web.Dockerfile".into())));
}

#[tokio::test]
async fn what_is_not_in_the_commit_is_named() {
    let packed = Packed::new(&[("Dockerfile", "FROM scratch"), (".dockerignore", "ok\n[x")]);
    let error = async |context, dockerfile| packed.pack(context, &[dockerfile]).await.unwrap_err();
    assert_eq!(error("", "api/Dockerfile").await, ArchiveError::NoSuchDockerfile("api/Dockerfile".into()));
    assert_eq!(error("api", "Dockerfile").await, ArchiveError::NoSuchContext("api".into()));
    assert_eq!(error("Dockerfile", "Dockerfile").await, ArchiveError::NoSuchContext("Dockerfile".into()));
    assert_eq!(error("../x", "Dockerfile").await, ArchiveError::BadPath("../x".into()));
    assert_eq!(error("", "/etc/passwd").await, ArchiveError::BadPath("/etc/passwd".into()));
    let ignore = error("", "Dockerfile").await;
    assert!(ignore.to_string().contains(".dockerignore") && ignore.to_string().contains("line 2"), "{ignore}");
    let mut request = packed.request("", &[]);
    request.commit = "0".repeat(40);
    let missing = archive(&request, &packed.dir.path().join("o"), &ArchiveLimits::default()).await;
    assert_eq!(missing, Err(ArchiveError::NoSuchCommit("0".repeat(40))));
}

#[tokio::test]
async fn the_archives_limits_hold_and_a_failure_leaves_no_file() {
    let packed = Packed::new(&[("Dockerfile", "FROM scratch"), ("a", "12345"), ("b/c", "1")]);
    let out = packed.dir.path().join("limited.tar.gz");
    let request = packed.request("", &["Dockerfile"]);
    let generous = ArchiveLimits::default();
    for (limits, expected) in [
        (ArchiveLimits { max_files: 3, ..generous }, ArchiveError::TooManyFiles { limit: 3 }),
        (ArchiveLimits { max_bytes: 17, ..generous }, ArchiveError::TooLarge { limit: 17 }),
        (
            ArchiveLimits { max_file_bytes: 11, ..generous },
            ArchiveError::FileTooLarge { path: "Dockerfile".into(), limit: 11 },
        ),
    ] {
        assert_eq!(archive(&request, &out, &limits).await, Err(expected));
        assert!(!out.exists());
    }
    assert!(archive(&request, &out, &ArchiveLimits { max_files: 4, max_bytes: 18, ..generous }).await.is_ok());
}

#[tokio::test]
async fn long_paths_and_long_links_survive() {
    let deep = format!("{}/file", ["directory-with-a-name"; 12].join("/"));
    let mut packed = Packed::new(&[("Dockerfile", ""), (&deep, "deep")]);
    let dir = packed.dir.path();
    std::os::unix::fs::symlink(&deep, dir.join("link")).unwrap();
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message", "more"]);
    packed.commit = git(dir, &["rev-parse", "HEAD"]);
    let (_, entries) = packed.pack("", &["Dockerfile"]).await.unwrap();
    assert_eq!(entries[&deep].2, "deep");
    assert_eq!(entries["link"].2, deep);
}
