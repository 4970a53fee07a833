//! Making repositories with the installed git, untouched by anybody's configuration.

use std::io;
use std::path::Path;
use std::process::Command;

/// Runs git in `directory` with fixed names and dates; its output without the line end.
pub fn git(directory: &Path, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new("git")
        .current_dir(directory)
        .args(["-c", "init.defaultBranch=main", "-c", "user.name=Windlass", "-c", "user.email=windlass@example.com"])
        .args(["-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("git cannot be run ({error}); install git")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("git {}: {}", arguments.join(" "), said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Makes a repository in `directory` with these files in one commit that each tag is set on (annotated), and gives the
/// commit's name. A second call adds a second commit.
pub fn make_repository(directory: &Path, files: &[(&str, &str)], tags: &[&str]) -> io::Result<String> {
    std::fs::create_dir_all(directory)?;
    if !directory.join(".git").exists() {
        git(directory, &["init", "--quiet"])?;
    }
    for (path, content) in files {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
    }
    git(directory, &["add", "--all", "--force"])?;
    git(directory, &["commit", "--quiet", "--allow-empty", "--message", "state"])?;
    for tag in tags {
        git(directory, &["tag", "--annotate", "--message", "release", tag])?;
    }
    git(directory, &["rev-parse", "HEAD"])
}
