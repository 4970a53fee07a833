//! What a request means in the commit: the context's tree, the Dockerfiles, the rules of what stays out.

use gix::objs::tree::EntryKind;
use gix::{ObjectId, Repository, Tree};

use super::ArchiveError;
use super::walk::{MAX_PATH_BYTES, unreadable};
use crate::git::Dockerignore;

pub(super) const IGNORE_FILE: &str = ".dockerignore";

/// A Dockerfile of the request, found in the tree.
pub(super) struct Dockerfile {
    /// As the request names it.
    pub(super) asked: String,
    pub(super) path: String,
    pub(super) id: ObjectId,
    pub(super) is_link: bool,
}

impl Dockerfile {
    pub(super) fn find(root: &Tree<'_>, asked: &str) -> Result<Self, ArchiveError> {
        let path = clean(asked)?;
        let missing = || ArchiveError::NoSuchDockerfile(asked.to_owned());
        let entry = root.lookup_entry_by_path(&path).map_err(unreadable)?.ok_or_else(missing)?;
        let kind = entry.mode().kind();
        if !matches!(kind, EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link) {
            return Err(missing());
        }
        Ok(Self { asked: asked.to_owned(), path, id: entry.object_id(), is_link: kind == EntryKind::Link })
    }
}

pub(super) fn root_tree<'a>(repository: &'a Repository, commit: &str) -> Result<Tree<'a>, ArchiveError> {
    let missing = || ArchiveError::NoSuchCommit(commit.chars().take(80).collect());
    let id = ObjectId::from_hex(commit.as_bytes()).map_err(|_| missing())?;
    let commit = repository.try_find_object(id).map_err(unreadable)?.ok_or_else(missing)?;
    let commit = commit.try_into_commit().map_err(|_| missing())?;
    commit.tree().map_err(unreadable)
}

pub(super) fn directory(repository: &Repository, root: &Tree<'_>, path: &str) -> Result<ObjectId, ArchiveError> {
    if path.is_empty() {
        return Ok(root.id);
    }
    let entry = root.lookup_entry_by_path(path).map_err(unreadable)?;
    let id = entry.filter(|entry| entry.mode().is_tree()).map(|entry| entry.object_id());
    let id = id.ok_or_else(|| ArchiveError::NoSuchContext(path.to_owned()))?;
    repository.find_tree(id).map_err(unreadable).map(|tree| tree.id)
}

/// The ignore rules of the context, and whether they come from a Dockerfile's own file.
pub(super) fn rules(
    repository: &Repository,
    root: &Tree<'_>,
    context: &str,
    dockerfiles: &[Dockerfile],
) -> Result<(Dockerignore, bool), ArchiveError> {
    let blob = |path: &str| -> Result<Option<ObjectId>, ArchiveError> {
        let entry = root.lookup_entry_by_path(path).map_err(unreadable)?;
        Ok(entry.filter(|entry| entry.mode().is_blob()).map(|entry| entry.object_id()))
    };
    let mut own: Option<(String, Option<ObjectId>)> = None;
    for dockerfile in dockerfiles {
        let path = format!("{}{IGNORE_FILE}", dockerfile.path);
        let id = blob(&path)?;
        match &own {
            Some((_, first)) if *first != id => return Err(ArchiveError::IgnoresDiffer(dockerfile.asked.clone())),
            Some(_) => {}
            None => own = Some((path, id)),
        }
    }
    let (path, id, replaced) = match own {
        Some((path, Some(id))) => (path, Some(id), true),
        _ => {
            let path = if context.is_empty() { IGNORE_FILE.to_owned() } else { format!("{context}/{IGNORE_FILE}") };
            let id = blob(&path)?;
            (path, id, false)
        }
    };
    let Some(id) = id else { return Ok((Dockerignore::default(), false)) };
    let text = repository.find_object(id).map_err(unreadable)?;
    let rules = Dockerignore::parse(&text.data).map_err(|source| ArchiveError::BadIgnoreFile { path, source })?;
    Ok((rules, replaced))
}

/// The path without `.` and doubled slashes; it must not lead out of the repository.
pub(super) fn clean(path: &str) -> Result<String, ArchiveError> {
    let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if path.starts_with('/') || path.len() > MAX_PATH_BYTES || parts.contains(&"..") {
        return Err(ArchiveError::BadPath(path.chars().take(80).collect()));
    }
    Ok(parts.join("/"))
}
