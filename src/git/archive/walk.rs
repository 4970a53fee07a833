//! Which entries of a commit's tree go into the archive.

use std::collections::BTreeMap;
use std::path::Path;

use gix::objs::tree::EntryKind;
use gix::{ObjectId, Repository};
use sha2::{Digest, Sha256};

use super::pack::Pack;
use super::source::{Dockerfile, IGNORE_FILE, clean, directory, root_tree, rules};
use super::{Archive, ArchiveError, ArchiveLimits, ArchiveRequest};
use crate::git::Dockerignore;
use crate::git::blocking::Stop;
use crate::git::error::chain;
use crate::git::fetch;

/// Never sent, at the context's root alone, as azure-cli does it.
const NEVER_SENT: [&[u8]; 7] = [b".git", b".gitignore", b".bzr", b".bzrignore", b".hg", b".hgignore", b".svn"];
pub(super) const MAX_PATH_BYTES: usize = 4096;
const MAX_DEPTH: usize = 128;
/// What a commit or a directory may take in memory however small the files must be.
const STRUCTURE_BYTES: u64 = 16 << 20;

pub(super) fn pack(
    request: &ArchiveRequest,
    out: &Path,
    limits: &ArchiveLimits,
    stop: &Stop,
) -> Result<Archive, ArchiveError> {
    let repository = gix::open_opts(&request.repository, fetch::options(limits.max_file_bytes.max(STRUCTURE_BYTES)))
        .map_err(unreadable)?;
    let root = root_tree(&repository, &request.commit)?;
    let context_path = clean(&request.context)?;
    let context = directory(&repository, &root, &context_path)?;
    let dockerfiles =
        request.dockerfiles.iter().map(|path| Dockerfile::find(&root, path)).collect::<Result<Vec<_>, _>>()?;
    let (rules, replaced) = rules(&repository, &root, &context_path, &dockerfiles)?;
    let mut walk = Walk {
        repository: &repository,
        pack: Pack::create(out).map_err(not_written)?,
        rules,
        drops_ignore_file: replaced,
        limits,
        stop,
        files: 0,
        bytes: 0,
        parents: Vec::new(),
    };
    walk.tree(context, &[], 0)?;
    let mut found = BTreeMap::new();
    for dockerfile in dockerfiles {
        let path = walk.place(&dockerfile, &context_path)?;
        found.insert(dockerfile.asked, path);
    }
    let (bytes, sha256) = walk.pack.finish().map_err(not_written)?;
    Ok(Archive { bytes, sha256, files: walk.files, dockerfiles: found })
}

struct Walk<'a> {
    repository: &'a Repository,
    pack: Pack,
    rules: Dockerignore,
    drops_ignore_file: bool,
    limits: &'a ArchiveLimits,
    stop: &'a Stop,
    files: u64,
    bytes: u64,
    /// The ignored directories above the present one, written only if something in them is taken back in.
    parents: Vec<Vec<u8>>,
}

impl Walk<'_> {
    fn tree(&mut self, id: ObjectId, at: &[u8], depth: usize) -> Result<(), ArchiveError> {
        if depth > MAX_DEPTH {
            return Err(ArchiveError::BadPath(shown(at)));
        }
        let tree = self.repository.find_tree(id).map_err(unreadable)?;
        for entry in tree.iter() {
            if self.stop.is_set() {
                return Err(ArchiveError::TimedOut(self.limits.max_duration));
            }
            let entry = entry.map_err(unreadable)?;
            let name: &[u8] = entry.filename();
            let path = if at.is_empty() { name.to_vec() } else { [at, b"/", name].concat() };
            if !is_plain_name(name) || path.len() > MAX_PATH_BYTES {
                return Err(ArchiveError::BadPath(shown(&path)));
            }
            if depth == 0 && (NEVER_SENT.contains(&name) || (self.drops_ignore_file && name == IGNORE_FILE.as_bytes()))
            {
                continue;
            }
            self.entry(entry.mode().kind(), entry.object_id(), &path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, kind: EntryKind, id: ObjectId, path: &[u8], depth: usize) -> Result<(), ArchiveError> {
        let ignored = self.rules.ignores(&String::from_utf8_lossy(path));
        match kind {
            EntryKind::Tree if ignored => {
                if self.rules.takes_back() {
                    self.parents.push(path.to_vec());
                    self.tree(id, path, depth + 1)?;
                    // Already gone if the directory was written after all.
                    if self.parents.last().is_some_and(|last| last == path) {
                        self.parents.pop();
                    }
                }
                Ok(())
            }
            _ if ignored => Ok(()),
            EntryKind::Tree => {
                self.directory(path)?;
                self.tree(id, path, depth + 1)
            }
            EntryKind::Commit => self.directory(path),
            EntryKind::Link => {
                let target = self.read(id, path)?;
                self.count()?;
                self.pack.link(path, &target).map_err(not_written)
            }
            EntryKind::Blob | EntryKind::BlobExecutable => {
                let content = self.read(id, path)?;
                self.count()?;
                self.pack.file(path, kind == EntryKind::BlobExecutable, &content).map_err(not_written)
            }
        }
    }

    fn directory(&mut self, path: &[u8]) -> Result<(), ArchiveError> {
        self.count()?;
        self.pack.directory(path).map_err(not_written)
    }

    /// Takes an entry into account and writes the directories above it that were held back.
    fn count(&mut self) -> Result<(), ArchiveError> {
        let held_back = std::mem::take(&mut self.parents);
        self.files = self.files.saturating_add(1).saturating_add(held_back.len() as u64);
        if self.files > self.limits.max_files {
            return Err(ArchiveError::TooManyFiles { limit: self.limits.max_files });
        }
        for parent in held_back {
            self.pack.directory(&parent).map_err(not_written)?;
        }
        Ok(())
    }

    fn read(&mut self, id: ObjectId, path: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let size = self.repository.find_header(id).map_err(unreadable)?.size();
        if size > self.limits.max_file_bytes {
            return Err(ArchiveError::FileTooLarge { path: shown(path), limit: self.limits.max_file_bytes });
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.max_bytes {
            return Err(ArchiveError::TooLarge { limit: self.limits.max_bytes });
        }
        Ok(self.repository.find_object(id).map_err(unreadable)?.detach().data)
    }

    /// Where the builder finds the Dockerfile; added under a name of its own if the context does not hold it.
    fn place(&mut self, dockerfile: &Dockerfile, context: &str) -> Result<String, ArchiveError> {
        let below = match context {
            "" => Some(dockerfile.path.as_str()),
            context => dockerfile.path.strip_prefix(context).and_then(|rest| rest.strip_prefix('/')),
        };
        if let Some(path) = below.filter(|path| !self.rules.ignores(path)) {
            return Ok(path.to_owned());
        }
        if dockerfile.is_link {
            return Err(ArchiveError::NoSuchDockerfile(dockerfile.asked.clone()));
        }
        let base = dockerfile.path.rsplit('/').next().unwrap_or_default();
        let digest = hex::encode(Sha256::digest(dockerfile.path.as_bytes()));
        let path = format!("{}_{base}", digest.get(..32).unwrap_or_default());
        let content = self.read(dockerfile.id, path.as_bytes())?;
        self.count()?;
        self.pack.file(path.as_bytes(), false, &content).map_err(not_written)?;
        Ok(path)
    }
}

/// A name that stays in its directory when it is unpacked.
fn is_plain_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|b| matches!(b, b'/' | 0))
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(200).collect()
}

pub(super) fn unreadable(error: impl std::error::Error) -> ArchiveError {
    ArchiveError::Repository(chain(&error))
}

fn not_written(error: std::io::Error) -> ArchiveError {
    ArchiveError::Output(error.to_string())
}
