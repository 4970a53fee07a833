//! The directory in which one job works, and its removal.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// `<root>/<job id>`, made by [`Workspace::at`] and by nothing else, so that what is removed is never another path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Workspace {
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("'{0}' is no job id: it must be 1 to 64 of 0-9, a-f and '-', and begin with a digit or letter")]
    BadJobId(String),
    #[error("the workspace {0} is not a directory of its own")]
    NotADirectory(PathBuf),
    #[error("the workspace {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

impl Workspace {
    /// An empty directory for the job; what an earlier attempt left there is removed. `root` is made if it is missing.
    pub async fn create(root: &Path, job_id: &str) -> Result<Self, WorkspaceError> {
        let workspace = Self::at(root, job_id).await?;
        workspace.remove().await?;
        let path = &workspace.path;
        tokio::fs::create_dir(path).await.map_err(|e| failed(path, e))?;
        Ok(workspace)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the directory with all that is in it; links in it are removed, not followed. Nothing there is no error.
    pub async fn remove(&self) -> Result<(), WorkspaceError> {
        if !own_directory(&self.path).await? {
            return Ok(());
        }
        match tokio::fs::remove_dir_all(&self.path).await {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(&self.path, e)),
            _ => Ok(()),
        }
    }

    /// Removes the workspaces under `root` that nobody has touched for `age`, and says how many they were.
    /// Anything under `root` that is not named like a workspace is left alone.
    pub async fn sweep(root: &Path, age: Duration) -> Result<usize, WorkspaceError> {
        let mut entries = match tokio::fs::read_dir(root).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
            opened => opened.map_err(|e| failed(root, e))?,
        };
        let oldest_kept = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut removed = 0;
        while let Some(entry) = entries.next_entry().await.map_err(|e| failed(root, e))? {
            let Ok(metadata) = entry.metadata().await else { continue };
            let old = metadata.modified().is_ok_and(|modified| modified <= oldest_kept);
            let ours = metadata.is_dir() && entry.file_name().to_str().is_some_and(is_job_id);
            if old && ours {
                (Self { path: entry.path() }).remove().await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The job's directory, whether it is there or not. `root` is made if it is missing.
    pub async fn at(root: &Path, job_id: &str) -> Result<Self, WorkspaceError> {
        if !is_job_id(job_id) {
            return Err(WorkspaceError::BadJobId(job_id.chars().take(80).collect()));
        }
        tokio::fs::create_dir_all(root).await.map_err(|e| failed(root, e))?;
        let root = tokio::fs::canonicalize(root).await.map_err(|e| failed(root, e))?;
        Ok(Self { path: root.join(job_id) })
    }
}

fn is_job_id(text: &str) -> bool {
    let fits = (1..=64).contains(&text.len()) && !text.starts_with('-');
    fits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

/// Whether there is a directory at `path`; a link or a file in its place is an error.
async fn own_directory(path: &Path) -> Result<bool, WorkspaceError> {
    match tokio::fs::symlink_metadata(path).await {
        Ok(metadata) if metadata.is_dir() => Ok(true),
        Ok(_) => Err(WorkspaceError::NotADirectory(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(failed(path, e)),
    }
}

fn failed(path: &Path, source: io::Error) -> WorkspaceError {
    WorkspaceError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "0123456789-0123456789abcdef0123";

    #[tokio::test]
    async fn a_workspace_is_empty_when_made_and_gone_when_removed() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("deep/er");
        let workspace = Workspace::create(&root, JOB).await.unwrap();
        std::fs::create_dir_all(workspace.path().join("repo/objects")).unwrap();
        std::fs::write(workspace.path().join("repo/objects/x"), "left over").unwrap();
        let again = Workspace::create(&root, JOB).await.unwrap();
        assert_eq!(again, workspace);
        assert_eq!(std::fs::read_dir(again.path()).unwrap().count(), 0);
        again.remove().await.unwrap();
        assert!(!again.path().exists());
        again.remove().await.unwrap();
    }

    #[tokio::test]
    async fn a_job_id_that_is_a_path_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for id in ["", ".", "..", "../a", "a/b", "/etc", "A", "-rf", "a\0", "a b", &"a".repeat(65)] {
            let refused = Workspace::create(root.path(), id).await;
            assert!(matches!(refused, Err(WorkspaceError::BadJobId(_))), "{id}");
        }
    }

    #[tokio::test]
    async fn a_link_in_a_workspaces_place_is_neither_used_nor_followed() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("kept"), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join(JOB)).unwrap();
        assert!(matches!(Workspace::create(root.path(), JOB).await, Err(WorkspaceError::NotADirectory(_))));
        assert!(elsewhere.path().join("kept").exists());
    }

    #[tokio::test]
    async fn links_inside_a_workspace_are_removed_and_their_targets_kept() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("kept"), "").unwrap();
        let workspace = Workspace::create(root.path(), JOB).await.unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), workspace.path().join("link")).unwrap();
        workspace.remove().await.unwrap();
        assert!(elsewhere.path().join("kept").exists());
    }

    #[tokio::test]
    async fn the_sweep_removes_old_workspaces_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        Workspace::create(root.path(), JOB).await.unwrap();
        std::fs::create_dir(root.path().join("Not-A-Job")).unwrap();
        std::fs::write(root.path().join("abc"), "a file").unwrap();
        assert_eq!(Workspace::sweep(root.path(), Duration::from_secs(3600)).await.unwrap(), 0);
        assert_eq!(Workspace::sweep(root.path(), Duration::ZERO).await.unwrap(), 1);
        assert!(!root.path().join(JOB).exists());
        assert!(root.path().join("Not-A-Job").exists() && root.path().join("abc").exists());
        assert_eq!(Workspace::sweep(&root.path().join("missing"), Duration::ZERO).await.unwrap(), 0);
    }
}
