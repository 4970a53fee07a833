use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use windlass::git::{Archive, ArchiveError, ArchiveLimits, ArchiveRequest, archive};

use crate::git_server::{git, make_repository};

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
