//! The uploaded source archive, taken apart.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

/// What a build can see. Paths are relative to the root of the archive.
pub(super) struct Context {
    /// Files and links, with a digest of their content.
    files: BTreeMap<String, [u8; 32]>,
    directories: BTreeSet<String>,
    dockerfile: Option<String>,
    bytes: u64,
}

impl Context {
    /// Reads the whole archive. The error says what is wrong with it.
    pub(super) fn unpack(archive: &[u8], dockerfile: &str) -> Result<Self, String> {
        let mut context = Self { files: BTreeMap::new(), directories: BTreeSet::new(), dockerfile: None, bytes: 0 };
        let mut reader = GzDecoder::new(archive);
        {
            let mut archive = tar::Archive::new(&mut reader);
            for entry in archive.entries().map_err(|error| error.to_string())? {
                context.add(entry.map_err(|error| error.to_string())?, dockerfile)?;
            }
        }
        // The checksum of a gzip stream is only checked at its end.
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(|error| error.to_string())?;
        Ok(context)
    }

    fn add<R: Read>(&mut self, mut entry: tar::Entry<'_, R>, dockerfile: &str) -> Result<(), String> {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(path) = normal(&path) else { return Err(format!("the entry '{path}' leaves the archive")) };
        if entry.header().entry_type().is_dir() {
            self.enter(&path);
            return Ok(());
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| error.to_string())?;
        self.bytes += content.len() as u64;
        let mut hasher = Sha256::new();
        hasher.update([entry.header().entry_type().as_byte()]);
        hasher.update(entry.link_name_bytes().unwrap_or_default());
        hasher.update(&content);
        if normal(dockerfile).as_deref() == Some(&path) {
            self.dockerfile = Some(String::from_utf8_lossy(&content).into_owned());
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.enter(parent);
        }
        self.files.insert(path, hasher.finalize().into());
        Ok(())
    }

    fn enter(&mut self, directory: &str) {
        let mut directory = directory;
        while !directory.is_empty() {
            self.directories.insert(directory.to_owned());
            directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    pub(super) fn dockerfile(&self) -> Option<&str> {
        self.dockerfile.as_deref()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The same for the same files, whatever their order, times and compression.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for (path, content) in &self.files {
            hasher.update((path.len() as u64).to_be_bytes());
            hasher.update(path);
            hasher.update(content);
        }
        hasher.finalize().into()
    }

    pub(super) fn holds(&self, path: &str) -> bool {
        path.is_empty() || self.files.contains_key(path) || self.directories.contains(path)
    }

    /// Everything that a COPY could name.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().chain(&self.directories).map(String::as_str)
    }
}

/// Without `./`, doubled and trailing slashes; `None` when the path leads out of the root.
pub(super) fn normal(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_context_knows_its_files_and_their_directories() {
        let context = Context::unpack(&archive(&[("./src/a/x.js", "1"), ("Dockerfile", "FROM a")]), "./Dockerfile");
        let context = context.ok().unwrap();
        assert!(["", "src", "src/a", "src/a/x.js", "Dockerfile"].iter().all(|path| context.holds(path)));
        assert!(!context.holds("x.js"));
        assert_eq!(context.dockerfile(), Some("FROM a"));
    }

    #[test]
    fn the_digest_follows_the_content_and_nothing_else() {
        let digest = |files: &[(&str, &str)]| Context::unpack(&archive(files), "x").ok().map(|c| c.digest());
        assert_eq!(digest(&[("a", "1"), ("b", "2")]), digest(&[("b", "2"), ("a", "1")]));
        assert_ne!(digest(&[("a", "1")]), digest(&[("a", "2")]));
        assert_ne!(digest(&[("a", "1")]), digest(&[("b", "1")]));
    }

    #[test]
    fn a_damaged_archive_is_refused() {
        let good = archive(&[("a", &"content ".repeat(500))]);
        let mut flipped = good.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[7; 700]).unwrap();
        let not_a_tar = encoder.finish().unwrap();
        for bad in [&good[..good.len() / 2], &flipped, b"PK not gzip", &not_a_tar] {
            assert!(Context::unpack(bad, "Dockerfile").is_err());
        }
    }

    #[test]
    fn paths_are_normal_or_refused() {
        assert_eq!(normal("./a//b/../c/").as_deref(), Some("a/c"));
        assert_eq!(normal("/a").as_deref(), Some("a"));
        assert_eq!(normal("a/../../b"), None);
    }
}
