use windlass::git::{FetchLimits, Fetched, GitError, Remote, RemotePolicy, Target, fetch};

use crate::git_server::{GitServer, Manner, make_repository};

pub const DEVELOPMENT: RemotePolicy = RemotePolicy { allow_http: true, allow_private: true };
pub const PRODUCTION: RemotePolicy = RemotePolicy { allow_http: false, allow_private: false };
pub const PLANTED: &str = "pl4nted-s3cret";

pub struct Site {
    pub root: tempfile::TempDir,
    pub work: tempfile::TempDir,
    pub server: GitServer,
}

impl Site {
    pub async fn new(manner: Manner) -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = GitServer::start(root.path(), manner).await;
        Self { root, work: tempfile::tempdir().unwrap(), server }
    }

    pub fn remote(&self, name: &str) -> Remote {
        Remote::parse(&self.server.url(name), &DEVELOPMENT).unwrap()
    }

    pub fn repository(&self, files: &[(&str, &str)], tags: &[&str]) -> String {
        make_repository(&self.root.path().join("app"), files, tags)
    }

    pub async fn fetch(&self, tag: &str) -> Result<Fetched, GitError> {
        fetch(&self.remote("app"), &tagged(tag), &FetchLimits::default(), self.work.path()).await
    }
}

pub fn tagged(tag: &str) -> Target {
    Target::Tag(tag.to_owned())
}
